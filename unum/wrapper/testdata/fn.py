import json
import os
import sys
import threading
import time

if os.environ.get("FN_BROKEN"):
    import no_such_module


class CardRefused(Exception):
    pass


def handler(event, context):
    do = event.get("do")
    if do == "fail":
        raise CardRefused("no money")
    if do == "crash":
        print("going down", flush=True)
        os._exit(3)
    if do == "sleep":
        time.sleep(60)
    if do == "large":
        return "x" * (7 << 20)
    if do == "die later":
        threading.Timer(0.01, os._exit, (4,)).start()
    if do == "context":
        return {
            "id": context.aws_request_id,
            "arn": context.invoked_function_arn,
            "left_ms": context.get_remaining_time_in_millis(),
            "custom": context.client_context and context.client_context.custom,
            "pid": os.getpid(),
        }
    if do == "descriptor":
        os.write(int(os.environ["_LAMBDA_TELEMETRY_LOG_FD"]), b"framed")
    print("out of", do)
    print("err of", do, file=sys.stderr)
    return {"echo": event, "pid": os.getpid()}
