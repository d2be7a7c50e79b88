"""Faults of the service itself: requests that are refused, slow, or carried out without an answer."""

import fnmatch
import re
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

_lock = threading.Lock()
_orders: list[dict[str, Any]] = []
_credential = re.compile(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/aws4_request")

_dynamodb_throttled = (
    "400 Bad Request",
    "application/x-amz-json-1.0",
    b'{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",'
    b'"message":"The level of configured provisioned throughput for the table was exceeded."}',
)
_s3_slow_down = (
    "503 Slow Down",
    "application/xml",
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code>'
    b"<Message>Please reduce your request rate.</Message></Error>",
)
_internal = (
    "500 Internal Server Error",
    "application/x-amz-json-1.0",
    b'{"__type":"InternalServerError","message":"The request processing has failed because of an unknown error."}',
)
_answers = {"throttled": _dynamodb_throttled, "slow-down": _s3_slow_down, "internal": _internal}


def order(fault: dict[str, Any]) -> None:
    """`service` (s3, dynamodb, …); `calls`: how many; of `action`: glob of the operation's name or, for REST
    services, of `METHOD /path`; then `answer` (throttled, slow-down, internal), with `done: true` when the request is
    carried out first and only its answer lost, or `delayMs`. `every`: only each nth call that matches.
    """
    with _lock:
        _orders.append({"calls": 1, "seen": 0, "hit": 0, "every": 1, "action": "*", **fault})


def clear() -> None:
    with _lock:
        _orders.clear()


def hits() -> int:
    """Calls that met a fault, of the orders that stand."""
    with _lock:
        return sum(fault["hit"] for fault in _orders)


def _take(service: str, action: str) -> dict[str, Any] | None:
    with _lock:
        for fault in _orders:
            if fault["service"] != service or not fnmatch.fnmatchcase(action, fault["action"]):
                continue
            fault["seen"] += 1
            if fault["hit"] < fault["calls"] and fault["seen"] % fault["every"] == 0:
                fault["hit"] += 1
                return fault
    return None


def faulty(app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """The WSGI application behind the ordered faults."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        signed = _credential.search(environ.get("HTTP_AUTHORIZATION", ""))
        fault = _take(signed[2], _action(environ)) if signed else None
        if fault is None:
            return app(environ, start_response)
        time.sleep(fault.get("delayMs", 0) / 1000)
        if "answer" not in fault:
            return app(environ, start_response)
        if fault.get("done"):
            for _ in app(environ, lambda *_, **__: None):
                pass
        else:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        status, content_type, body = _answers[fault["answer"]]
        start_response(status, [("content-type", content_type), ("content-length", str(len(body)))])
        return [body]

    return answer


def _action(environ: dict[str, Any]) -> str:
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    return target.rpartition(".")[2] if target else f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
