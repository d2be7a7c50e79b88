"""What a test has ordered to happen to jobs."""

import fnmatch
import threading
from typing import Any

_lock = threading.Lock()
_orders: list[dict[str, Any]] = []


def order(fault: dict[str, Any]) -> None:
    """`name`: glob of job names; `times`; then one of
    `statusReason` with `afterMs`: the host is taken away that long after the start, or at once for jobs that run;
    `exitCode` (and `reason`): the container ends so without having done anything.
    """
    with _lock:
        _orders.append({"times": 1, **fault})


def clear() -> None:
    with _lock:
        _orders.clear()


def take(job_name: str) -> dict[str, Any] | None:
    """The order that holds for this attempt, if any; each is used up."""
    with _lock:
        for fault in _orders:
            if fault["times"] > 0 and fnmatch.fnmatchcase(job_name, fault["name"]):
                fault["times"] -= 1
                return fault
    return None
