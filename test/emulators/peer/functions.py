"""Lambda whose functions run: the deployed code, in a Node process beside this one (lambda-host.ts)."""

import base64
import contextlib
import fnmatch
import hashlib
import io
import json
import os
import threading
import time
import urllib.request
import uuid
import zipfile
from typing import Any

import settings
from botocore.exceptions import ClientError
from moto.awslambda import models
from moto.awslambda.responses import LambdaResponse
from moto.awslambda.utils import get_backend
from moto.logs.models import logs_backends

# What ran, newest last; `GET /_peer/invocations`.
invocations: list[dict[str, Any]] = []
# Orders of a test: [{"function": glob, "times": n, "kind": "lost-answer" | "throttle" | "slow-start", ...}].
orders: list[dict[str, Any]] = []
# Timeouts that a test has set, in seconds, by glob of function names.
timeouts: dict[str, float] = {}

_lock = threading.Lock()
_unpacked: dict[str, str] = {}
_running: dict[str, int] = {}
# A request's payload, and the answer's (Lambda quotas).
_largest_payload = 6 * 1024 * 1024


class Answer:
    """`payload` is JSON text; `error` is set when the function failed, and the payload then says how."""

    def __init__(self, payload: str, error: str | None = None, logs: str = ""):
        self.payload, self.error, self.logs = payload, error, logs


def find(name_or_arn: str, region: str) -> Any:
    try:
        return get_backend(settings.account, region).get_function(name_or_arn, None)
    except Exception as error:
        raise _refused("ResourceNotFoundException", 404, f"Function not found: {name_or_arn}") from error


def invoke(function: Any, event: str) -> Answer:
    """Runs the function to its end. @raises ClientError as Invoke does when it does not run at all."""
    if len(event) > _largest_payload:
        raise _refused("RequestTooLargeException", 413, "the request is larger than 6 MiB")
    order = _order_for(function.function_name)
    if order.get("kind") == "throttle":
        raise _refused("TooManyRequestsException", 429, "Rate Exceeded.")
    with _one_of(function):
        answer = _run(function, event)
    if order.get("kind") == "lost-answer":
        raise _refused("ServiceException", 500, "the service failed after the function had ended")
    return answer


def invoke_later(function: Any, event: str, attempts: int = 3) -> None:
    """An asynchronous invocation: twice more when it fails (Lambda's default), without its minutes of waiting."""

    def work() -> None:
        for attempt in range(attempts):
            with contextlib.suppress(ClientError):
                if invoke(function, event).error is None:
                    return
            time.sleep(min(settings.longest_wait_s, 0.2 * (attempt + 1)))

    threading.Thread(target=work, daemon=True).start()


def _order_for(name: str) -> dict[str, Any]:
    with _lock:
        for order in orders:
            if order["times"] > 0 and fnmatch.fnmatchcase(name, order["function"]):
                order["times"] -= 1
                return order
    return {}


@contextlib.contextmanager
def _one_of(function: Any):
    """Reserved concurrency, as Lambda holds it."""
    name, most = function.function_name, function.reserved_concurrency
    with _lock:
        if most is not None and _running.get(name, 0) >= int(most):
            raise _refused("TooManyRequestsException", 429, "Rate Exceeded.")
        _running[name] = _running.get(name, 0) + 1
    try:
        yield
    finally:
        with _lock:
            _running[name] -= 1


def _run(function: Any, event: str) -> Answer:
    request_id = str(uuid.uuid4())
    body = json.dumps({**_about(function), "requestId": request_id, "event": json.loads(event or "{}")})
    request = urllib.request.Request(
        f"{settings.lambda_host}/invoke", body.encode(), {"content-type": "application/json"}
    )
    started = time.time()
    with urllib.request.urlopen(request) as response:
        said = json.load(response)
    payload = json.dumps(said["error"]) if "error" in said else said["payload"]
    if len(payload) > _largest_payload:
        said["error"] = {"errorType": "Function.ResponseSizeTooLarge", "errorMessage": "larger than 6 MiB"}
        payload = json.dumps(said["error"])
    _save_log(function, request_id, said["logs"], time.time() - started)
    record = {
        "function": function.function_name,
        "event": json.loads(event or "{}"),
        "startedAt": int(started * 1000),
        "ms": int((time.time() - started) * 1000),
        "logs": said["logs"][-4000:],
    }
    outcome = {"error": said["error"]} if "error" in said else {"result": json.loads(payload)}
    with _lock:
        invocations.append({**record, **outcome})
    return Answer(payload, "Unhandled" if "error" in said else None, said["logs"])


def _about(function: Any) -> dict[str, Any]:
    code_dir, handler = _code(function)
    name = function.function_name
    seconds = next((s for glob, s in timeouts.items() if fnmatch.fnmatchcase(name, glob)), int(function.timeout))
    env = {
        **settings.cloud_environment(function.region),
        "_HANDLER": handler,
        "LAMBDA_TASK_ROOT": code_dir,
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_LOG_GROUP_NAME": _log_group(function),
        **{key: str(value) for key, value in function.environment_vars.items()},
    }
    return {
        "name": name,
        "arn": function.function_arn,
        "codeDir": code_dir,
        "handler": handler,
        "env": env,
        "timeoutMs": int(seconds * 1000),
        "memoryMb": int(function.memory_size),
    }


def _code(function: Any) -> tuple[str, str]:
    if function.package_type == "Image":
        image = function.code.get("ImageUri", "")
        for known in settings.image_functions:
            if fnmatch.fnmatchcase(image, known["image"]):
                return known["dir"], known["handler"]
        raise _refused("InvalidParameterValueException", 400, f"Source image {image} does not exist.")
    digest = hashlib.sha256(function.code_bytes).hexdigest()[:16]
    with _lock:
        if digest not in _unpacked:
            folder = os.path.join(settings.work_dir, "functions", digest)
            zipfile.ZipFile(io.BytesIO(function.code_bytes)).extractall(folder)
            _unpacked[digest] = folder
        return _unpacked[digest], function.handler


def _log_group(function: Any) -> str:
    config = getattr(function, "logging_config", None) or {}
    return config.get("LogGroup") or f"/aws/lambda/{function.function_name}"


def _save_log(function: Any, request_id: str, text: str, seconds: float) -> None:
    backend, group = logs_backends[settings.account][function.region], _log_group(function)
    if group not in backend.groups:
        backend.create_log_group(group, {})
    stream = f"{time.strftime('%Y/%m/%d')}/[$LATEST]{request_id.replace('-', '')}"
    backend.create_log_stream(group, stream)
    lines = [f"START RequestId: {request_id} Version: $LATEST", *text.splitlines(), f"END RequestId: {request_id}"]
    lines.append(f"REPORT RequestId: {request_id}\tDuration: {seconds * 1000:.2f} ms")
    now = int(time.time() * 1000)
    backend.put_log_events(group, stream, [{"timestamp": now, "message": line} for line in lines])


def _refused(code: str, status: int, message: str) -> ClientError:
    metadata = {"HTTPStatusCode": status, "RequestId": str(uuid.uuid4())}
    return ClientError({"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}, "Invoke")


def _invoke_response(self: LambdaResponse):
    """Lambda's Invoke over HTTP."""
    name = urllib.request.unquote(self.path.rsplit("/", 2)[-2])
    kind = self.headers.get("X-Amz-Invocation-Type", "RequestResponse")
    body = self.body.decode() if isinstance(self.body, bytes) else self.body
    try:
        function = find(name, self.region)
        if kind == "Event":
            invoke_later(function, body or "{}")
            return 202, {}, ""
        answer = invoke(function, body or "{}")
    except ClientError as error:
        about, status = error.response["Error"], error.response["ResponseMetadata"]["HTTPStatusCode"]
        headers = {"x-amzn-errortype": about["Code"], "content-type": "application/json"}
        return status, headers, json.dumps({"Type": "Service", "message": about["Message"]})
    headers = {"content-type": "application/json", "x-amz-executed-version": "$LATEST"}
    if answer.error is not None:
        headers["x-amz-function-error"] = answer.error
    if self.headers.get("X-Amz-Log-Type") == "Tail":
        headers["x-amz-log-result"] = base64.b64encode(answer.logs[-4096:].encode()).decode()
    return 200, headers, answer.payload


def _keeping_log_config(original):
    def init(self, account_id, spec, region, version=1):
        original(self, account_id, spec, region, version)
        self.logging_config = spec.get("LoggingConfig")

    return init


def install() -> None:
    LambdaResponse.invoke = _invoke_response
    models.LambdaFunction.__init__ = _keeping_log_config(models.LambdaFunction.__init__)
