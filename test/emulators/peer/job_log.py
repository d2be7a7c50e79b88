"""A container's output in CloudWatch Logs."""

import threading
import time
from typing import Any

import settings
from moto.logs.models import logs_backends


class JobLog:
    """Lines are put at most every 0.2 s, so that a test that follows a log sees it grow."""

    def __init__(self, container: dict[str, Any], definition_name: str, task_id: str, region: str):
        options = container.get("logConfiguration", {}).get("options", {})
        self.group = options.get("awslogs-group", "/aws/batch/job")
        prefix = options.get("awslogs-stream-prefix", definition_name)
        self.stream = f"{prefix}/{container['name']}/{task_id}"
        self._backend = logs_backends[settings.account][region]
        self._lines: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        self._written_at = 0.0
        if self.group not in self._backend.groups:
            self._backend.create_log_group(self.group, {})
        self._backend.create_log_stream(self.group, self.stream)

    def line(self, text: str) -> None:
        with self._lock:
            self._lines.append({"timestamp": int(time.time() * 1000), "message": text})
        if time.monotonic() - self._written_at > 0.2:
            self.flush()

    def flush(self) -> None:
        with self._lock:
            lines, self._lines = self._lines, []
            if lines:
                self._backend.put_log_events(self.group, self.stream, lines)
            self._written_at = time.monotonic()
