"""What tests order and look at: paths below /_peer, never reached by what is tested."""

import fnmatch
import json
import os
from collections.abc import Callable, Iterable
from typing import Any

import batch
import event_targets
import faults
import functions
import inventory
import job_faults
import settings


def _health(_: dict[str, Any]) -> Any:
    return {"jobs": len(batch.jobs)}


def _kill_jobs(body: dict[str, Any]) -> Any:
    found = [job for job in list(batch.jobs.values()) if fnmatch.fnmatchcase(job.job_name, body["name"])]
    return [job.job_name for job in found if job.take_host(body["statusReason"])]


def _clear(_: dict[str, Any]) -> Any:
    faults.clear()
    job_faults.clear()
    functions.orders.clear()
    functions.timeouts.clear()
    return {}


def _set_timeout(body: dict[str, Any]) -> Any:
    functions.timeouts[body["function"]] = body["seconds"]
    return {}


def _fire(body: dict[str, Any]) -> Any:
    event_targets.fire_schedule(body.get("group", "default"), body["name"], body["region"], body.get("input"))
    return {}


def _log(_: dict[str, Any]) -> Any:
    with open(os.path.join(settings.work_dir, "peer.log"), encoding="utf-8", errors="replace") as log:
        return log.read()[-20_000:]


def _shutdown(_: dict[str, Any]) -> Any:
    batch.kill_all()
    return {}


_routes: dict[str, Callable[[dict[str, Any]], Any]] = {
    "health": _health,
    "faults": lambda body: faults.order(body) or {},
    "faults/hits": lambda _: faults.hits(),
    "faults/clear": _clear,
    "jobs": lambda _: [job.describe() for job in list(batch.jobs.values())],
    "jobs/kill": _kill_jobs,
    "jobs/faults": lambda body: job_faults.order(body) or {},
    "functions/invocations": lambda _: list(functions.invocations),
    "functions/orders": lambda body: functions.orders.append(body) or {},
    "functions/timeouts": _set_timeout,
    "schedules/fire": _fire,
    "inventory": lambda body: inventory.take(body["stack"], body["region"]),
    "log": _log,
    "shutdown": _shutdown,
}


def controlled(app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """The WSGI application with the control paths before it."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if not path.startswith("/_peer/"):
            return app(environ, start_response)
        text = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        try:
            said, status = _routes[path.removeprefix("/_peer/")](json.loads(text or b"{}")), "200 OK"
        except Exception as error:
            said, status = {"error": f"{type(error).__name__}: {error}"}, "400 Bad Request"
        body = json.dumps(said, default=str).encode()
        start_response(status, [("content-type", "application/json"), ("content-length", str(len(body)))])
        return [body]

    return answer
