# The function that Google's framework serves: it hands every request to Weft's runtime, which is started first.
import atexit
import http.client
import os
import shutil
import socket
import stat
import subprocess
import threading
import time

import functions_framework

HERE = os.path.dirname(os.path.abspath(__file__))
_lock = threading.Lock()
_process = None
_port = 0


def _program():
    path = os.path.join(HERE, "weft-function")
    if os.access(path, os.X_OK):
        return path
    copy = "/tmp/weft-function"  # the archive was unpacked without modes
    shutil.copyfile(path, copy)
    os.chmod(copy, stat.S_IRWXU)
    return copy


def _runtime():
    """The port of the runtime, which is started if it is not there."""
    global _process, _port
    with _lock:
        if _process is None or _process.poll() is not None:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                _port = free.getsockname()[1]
            environment = dict(os.environ, PORT=str(_port))
            _process = subprocess.Popen([_program(), "http"], cwd=HERE, env=environment)
            atexit.register(_process.terminate)
        for _ in range(3000):
            try:
                socket.create_connection(("127.0.0.1", _port)).close()
                break
            except OSError:
                if _process.poll() is not None:
                    raise RuntimeError("weft-function ended with status %s" % _process.returncode)
                time.sleep(0.005)
        return _port


_runtime()


@functions_framework.http
def weft(request):
    connection = http.client.HTTPConnection("127.0.0.1", _runtime())
    try:
        headers = {k: v for k, v in request.headers.items() if k.lower() not in ("connection", "transfer-encoding", "content-length")}
        connection.request(request.method, request.full_path.rstrip("?"), request.get_data(), headers)
        answer = connection.getresponse()
        kept = [(k, v) for k, v in answer.getheaders() if k.lower() not in ("connection", "transfer-encoding", "content-length")]
        return answer.read(), answer.status, kept
    finally:
        connection.close()
