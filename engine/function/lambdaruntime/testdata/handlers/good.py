import json
import logging
import os
import sys


class CustomException(Exception):
    pass


def handler(event, context):
    print("seen", json.dumps(event))
    return event


def about(event, context):
    logging.getLogger().warning("careful")
    return {
        "id": context.aws_request_id, "name": context.function_name, "arn": context.invoked_function_arn,
        "left": context.get_remaining_time_in_millis() > 0, "custom": context.client_context.custom,
        "pid": os.getpid(), "extra": os.environ["EXTRA"], "memory": context.memory_limit_in_mb,
    }


def fail(event, context):
    raise Exception("Some exception was raised.")


def nested(event, context):
    def inner():
        raise CustomException()
    inner()


def unserialisable(event, context):
    return {"a": object()}


def raw(event, context):
    return b'"HelloWorld!"'


def nan(event, context):
    return float("nan")


def text(event, context):
    return "grüße \U0001f600 " + str(event)


def leave(event, context):
    os._exit(3)


def polite(event, context):
    sys.exit("enough")
