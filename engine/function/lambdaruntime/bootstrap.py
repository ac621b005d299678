# Weft's Lambda runtime for Python: imports one handler and serves it over the Lambda Runtime API.
import http.client
import importlib
import json
import logging
import os
import sys
import time
import traceback

API = "/2018-06-01/runtime/"


class _Quiet(logging.Formatter):
    converter = time.gmtime


class Context:
    """What a handler gets as its second argument, as on Lambda."""

    def __init__(self, headers):
        env = os.environ
        self.aws_request_id = headers.get("Lambda-Runtime-Aws-Request-Id", "")
        self.invoked_function_arn = headers.get("Lambda-Runtime-Invoked-Function-Arn", "")
        self.function_name = env.get("AWS_LAMBDA_FUNCTION_NAME")
        self.function_version = env.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.memory_limit_in_mb = env.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.log_group_name = env.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = env.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.identity = None
        self.client_context = _client_context(headers.get("Lambda-Runtime-Client-Context"))
        self._deadline_ms = int(headers.get("Lambda-Runtime-Deadline-Ms", "0"))

    def get_remaining_time_in_millis(self):
        return max(self._deadline_ms - int(time.time() * 1000), 0)

    def log(self, message):
        sys.stdout.write(str(message))


class ClientContext:
    def __init__(self, document):
        self.custom = document.get("custom")
        self.env = document.get("env")
        self.client = document.get("client")


def _client_context(text):
    return ClientContext(json.loads(text)) if text else None


class Fault(Exception):
    """A failure that is told under a name of Lambda's own."""

    def __init__(self, kind, message, stack=()):
        super().__init__(message)
        self.kind, self.stack = kind, list(stack)


def frames(tb, skip):
    """The stack as Lambda words it: one string a frame, without marks under the source."""
    lines = []
    for frame in traceback.extract_tb(tb)[skip:]:
        line = '  File "%s", line %d, in %s\n' % (frame.filename, frame.lineno, frame.name)
        if frame.line:
            line += "    %s\n" % frame.line.strip()
        lines.append(line)
    return lines


def document(error, request_id, skip):
    if isinstance(error, Fault):
        kind, stack = error.kind, error.stack
    else:
        kind, stack = type(error).__name__, frames(error.__traceback__, skip)
    try:
        message = str(error)
    except Exception as again:
        message = "(its message cannot be shown: %r)" % again
    return {"errorMessage": message, "errorType": kind, "requestId": request_id, "stackTrace": stack}


def tell(doc):
    sys.stderr.write("[ERROR] %s: %s\n%s" % (doc["errorType"], doc["errorMessage"], "".join(doc["stackTrace"])))
    if doc["stackTrace"]:
        sys.stderr.write("\n")


def load(spec):
    """The function that _HANDLER names: "module.function", slashes in the module's part allowed."""
    module_name, dot, name = spec.rpartition(".")
    if not dot or not module_name or not name:
        raise Fault("Runtime.MalformedHandlerName", "Bad handler '%s': it must be file.function" % spec)
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as e:
        raise Fault("Runtime.ImportModuleError", "Unable to import module '%s': %s" % (module_name, e))
    except SyntaxError as e:
        where = '  File "%s" Line %s\n    %s' % (e.filename, e.lineno, (e.text or "").strip())
        raise Fault("Runtime.UserCodeSyntaxError", "Syntax error in module '%s': %s" % (module_name, e), [where])
    if not hasattr(module, name):
        raise Fault("Runtime.HandlerNotFound", "Handler '%s' missing on module '%s'" % (name, module_name))
    return getattr(module, name)


def encode(result):
    if isinstance(result, bytes):  # Lambda passes bytes through
        return result
    try:
        return json.dumps(result, ensure_ascii=False).encode("utf-8", "surrogatepass")
    except Exception as e:
        raise Fault("Runtime.MarshalError", "Unable to marshal response: %s" % e)


class Client:
    """One kept connection to the Runtime API."""

    def __init__(self, address):
        self.connection = http.client.HTTPConnection(address)

    def next(self):
        self.connection.request("GET", API + "invocation/next")
        response = self.connection.getresponse()
        body = response.read()
        if response.status != 200:
            sys.exit(0)  # the pool ends this process
        return response.headers, body

    def post(self, path, body, kind=None):
        headers = {"Content-Type": "application/json"}
        if kind:
            headers["Lambda-Runtime-Function-Error-Type"] = kind
        self.connection.request("POST", API + path, body, headers)
        self.connection.getresponse().read()

    def post_error(self, path, doc):
        self.post(path, json.dumps(doc).encode(), doc["errorType"])


def serve_one(client, handler):
    headers, body = client.next()
    context = Context(headers)
    _request.id = context.aws_request_id
    try:
        try:
            event = json.loads(body)
        except ValueError as e:
            raise Fault("Runtime.UnmarshalError", "Unable to unmarshal input: %s" % e)
        try:
            result = handler(event, context)
        except SystemExit as e:
            raise Fault("Runtime.ExitError", "the handler called sys.exit(%r)" % (e.code,))
        answer = encode(result)
    except Exception as error:
        doc = document(error, context.aws_request_id, 1)
        tell(doc)
        sys.stdout.flush()
        client.post_error("invocation/%s/error" % context.aws_request_id, doc)
        return
    sys.stdout.flush()
    client.post("invocation/%s/response" % context.aws_request_id, answer)


class _request(logging.Filter):
    id = ""

    def filter(self, record):
        record.aws_request_id = _request.id
        return True


def main():
    handler_log = logging.StreamHandler(sys.stdout)
    handler_log.setFormatter(_Quiet("[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s", "%Y-%m-%dT%H:%M:%S"))
    handler_log.addFilter(_request())
    logging.getLogger().addHandler(handler_log)
    sys.path[0] = os.getcwd()
    client = Client(os.environ["AWS_LAMBDA_RUNTIME_API"])
    try:
        handler = load(os.environ["_HANDLER"])
    except BaseException as error:
        doc = document(error, "", 0)
        if not isinstance(error, Fault):  # what importlib does on the way is nobody's business
            doc["stackTrace"] = [f for f in doc["stackTrace"] if "importlib" not in f and '"<string>"' not in f]
        tell(doc)
        client.post_error("init/error", doc)
        sys.exit(1)
    while True:
        serve_one(client, handler)


main()
