#!/usr/bin/env python3
"""Function publish, as a plain program: JSON on stdin, JSON on stdout. A failure is exit code 1 and, because it has a
name that the machine's Retry should know, {"errorType", "errorMessage"} on stdout.

Takes {"post", "store"?}: appends the post as a line to the store, an ndjson file (absent: posts.ndjson in a
directory of this user below the system's for temporary files). Gives {"post", "store"}.

It may be called twice for one post, when the first call's answer was lost: a post whose id is in the store
already is not appended again and the answer is the same.
"""

import fcntl
import json
import os
import stat
import sys
import tempfile

FIRST = b'{"id": "'  # how every line of a store begins


class BadStore(Exception):
    """The store cannot be used. Trying again does not help."""



def main():
    event = json.load(sys.stdin)
    store = event.get("store")
    if store is None:
        store = os.path.join(own_directory(), "posts.ndjson")
    elif not isinstance(store, str) or not os.path.isabs(store):
        raise BadStore(f"store {store!r}: give an absolute path, functions do not run in your directory")
    try:
        append(store, event["post"])
    except OSError as e:
        raise BadStore(f"cannot write the store: {e}; give a store that can be written")
    answer({"post": event["post"], "store": store})


def answer(value):
    # Half a surrogate pair, which JSON may hold and UTF-8 may not, is written as \ud83e.
    sys.stdout.buffer.write(json.dumps(value, ensure_ascii=False).encode(errors="backslashreplace"))


def own_directory():
    """Return a directory that no other user can write."""
    path = os.path.join(tempfile.gettempdir(), f"weft-text-{os.getuid()}")
    os.makedirs(path, mode=0o700, exist_ok=True)
    info = os.lstat(path)
    if not stat.S_ISDIR(info.st_mode) or info.st_mode & 0o022:
        raise BadStore(f"{path} is not a directory that only its owner can write: remove it or give a store")
    return path


def append(store, post):
    """Append post to store unless its id is there, durably. Publishers take turns."""
    line = json.dumps({"id": post["id"], **post}).encode() + b"\n"
    with open(store, "a+b") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        f.seek(0)
        end = 0
        for old in f:
            if not old.endswith(b"\n") and (old.startswith(FIRST) or FIRST.startswith(old)):
                break  # a publisher died while it wrote this
            if post_id(old, store) == post["id"]:
                return
            end += len(old)
        f.truncate(end)
        f.write(line)
        f.flush()
        os.fsync(f.fileno())


def post_id(line, store):
    try:
        return json.loads(line)["id"]
    except (ValueError, TypeError, KeyError):
        raise BadStore(f"{store} holds something else than posts; give another store")


try:
    main()
except BadStore as e:
    answer({"errorType": "BadStore", "errorMessage": str(e)})
    sys.exit(1)
