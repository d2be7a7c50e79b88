"""A job of AWS Batch that really runs: its attempts, one after another, and what DescribeJobs says of it."""

import shutil
import tempfile
import threading
import time
import uuid
from typing import Any

import batch_container
import batch_retries
import job_faults
import settings
from job_log import JobLog
from job_process import JobProcess

_slots = threading.Semaphore(settings.jobs_at_once)


def _now() -> int:
    return int(time.time() * 1000)


class Job(threading.Thread):
    """`request`: SubmitJob's input; `definition`: as registered, with its ARN and name."""

    def __init__(self, request: dict[str, Any], definition: dict[str, Any], queue: Any, region: str):
        super().__init__(daemon=True)
        self.id = str(uuid.uuid4())
        self.arn = f"arn:aws:batch:{region}:{settings.account}:job/{self.id}"
        self.job_name: str = request["jobName"]
        self.request, self.definition, self.queue, self.region = request, definition, queue, region
        self.parameters = {**definition.get("parameters", {}), **request.get("parameters", {})}
        self.strategy = request.get("retryStrategy") or definition.get("retryStrategy") or {"attempts": 1}
        self.timeout_s = (request.get("timeout") or definition.get("timeout") or {}).get("attemptDurationSeconds")
        propagated = definition.get("tags", {}) if definition.get("propagateTags") else {}
        self.tags = {**propagated, **request.get("tags", {})}
        self.status, self.status_reason = "SUBMITTED", None
        self.created_at, self.started_at, self.stopped_at = _now(), None, None
        self.attempts: list[dict[str, Any]] = []
        self.container: dict[str, Any] = {}
        self._current: JobProcess | None = None
        self._beside: list[JobProcess] = []
        self._stop_reason: str | None = None
        self._host_lost: str | None = None
        self._wake = threading.Event()

    def run(self) -> None:
        for status in ("PENDING", "RUNNABLE"):
            self.status = status
        while self._attempt():
            pass

    def terminate(self, reason: str) -> None:
        """TerminateJob: ends an attempt that runs, and the job with it; a job that waits ends at once."""
        if self.status not in ("SUCCEEDED", "FAILED") and self._stop_reason is None:
            self._stop_reason = reason
            self._wake.set()

    def take_host(self, status_reason: str) -> bool:
        """The machine below the job goes away, as Spot capacity does. False when it runs nowhere."""
        if self.status != "RUNNING":
            return False
        self._host_lost = status_reason
        self._wake.set()
        return True

    def kill(self) -> None:
        self._stop_reason = self._stop_reason or "the emulator ends"
        for process in [self._current, *self._beside]:
            if process is not None:
                process.kill()

    def _attempt(self) -> bool:
        """One attempt; true when there is to be another one."""
        while not _slots.acquire(timeout=0.05):
            if self._stop_reason is not None:
                self._end("FAILED", self._stop_reason)
                return False
        try:
            if self._stop_reason is not None:
                self._end("FAILED", self._stop_reason)
                return False
            ended = self._run_once()
        finally:
            _slots.release()
        return self._after(ended)

    def _after(self, ended: dict[str, Any]) -> bool:
        container = {k: ended[k] for k in ("exitCode", "reason", "logStreamName") if k in ended}
        container["taskArn"] = ended["taskArn"]
        self.container = container
        self.attempts.append(
            {
                "container": {**container, "networkInterfaces": []},
                "startedAt": ended["startedAt"],
                "stoppedAt": _now(),
                "statusReason": ended["statusReason"],
            }
        )
        if ended.get("exitCode") == 0 and self._stop_reason is None:
            self._end("SUCCEEDED", ended["statusReason"])
            return False
        stopped = self._stop_reason is not None
        if not stopped and batch_retries.is_retried(self.strategy, len(self.attempts), ended):
            self.status, self.status_reason = "RUNNABLE", ended["statusReason"]
            return True
        self._end("FAILED", ended["statusReason"])
        return False

    def _end(self, status: str, reason: str) -> None:
        self.status_reason, self.stopped_at = reason, _now()
        self.status = status

    def _run_once(self) -> dict[str, Any]:
        self.status = "STARTING"
        self._wake.clear()
        self._host_lost = None
        task_id = uuid.uuid4().hex
        ended = {"startedAt": _now(), "taskArn": f"arn:aws:ecs:{self.region}:{settings.account}:task/peer/{task_id}"}
        fault = job_faults.take(self.job_name)
        self._tmp = tempfile.mkdtemp(prefix=f"job-{self.id[:8]}-", dir=settings.work_dir)
        try:
            own, *beside = batch_container.containers(self.definition, self._overrides())
            command, cwd, env = self._program(own, settings.programs)
            log = JobLog(own, self.definition["jobDefinitionName"], task_id, self.region)
            ended["logStreamName"] = log.stream
            self.started_at = self.started_at or ended["startedAt"]
            if fault is not None and "exitCode" in fault:
                return {**ended, **_exit_of(fault)}
            self._start_beside(beside, task_id)
            # Batch names the log of an attempt as soon as it runs.
            self.container = {"logStreamName": log.stream}
            self.status = "RUNNING"
            self._current = JobProcess(command, env, cwd, log.line)
            try:
                return {**ended, **self._watch(self._current, fault)}
            finally:
                log.flush()
        except batch_container.CannotStart as error:
            return {**ended, "statusReason": "Task failed to start", "reason": str(error)}
        finally:
            for process in [self._current, *self._beside]:
                if process is not None:
                    process.kill()
            self._current, self._beside = None, []
            shutil.rmtree(self._tmp, ignore_errors=True)

    def _overrides(self) -> dict[str, Any]:
        return self.request.get("containerOverrides") or self.request.get("ecsPropertiesOverride") or {}

    def _program(self, container: dict[str, Any], programs: list[dict[str, Any]]):
        found = batch_container.program(container["image"], programs)
        about = {
            "id": self.id,
            "attempt": len(self.attempts) + 1,
            "queue": self.queue.name,
            "environment": self.queue.environments[0].name,
        }
        env = batch_container.environment(container, about, self.region)
        # A container has a /tmp of its own.
        own = {name: self._tmp for name in ("HOME", "TMPDIR") if env.get(name, "/tmp") in ("/tmp", settings.work_dir)}
        command = [*found["command"], *batch_container.filled(container["command"], self.parameters)]
        return command, found.get("cwd"), {**env, **own, **found.get("env", {})}

    def _start_beside(self, containers: list[dict[str, Any]], task_id: str) -> None:
        for container in containers:
            command, cwd, env = self._program(container, settings.sidecars)
            log = JobLog(container, self.definition["jobDefinitionName"], task_id, self.region)
            self._beside.append(JobProcess(command, env, cwd, log.line))

    def _watch(self, process: JobProcess, fault: dict[str, Any] | None) -> dict[str, Any]:
        started = time.monotonic()
        while (code := process.wait(0.05)) is None:
            elapsed = time.monotonic() - started
            if fault is not None and elapsed * 1000 >= fault.get("afterMs", 0):
                self._host_lost = fault["statusReason"]
            if self._host_lost is not None:
                process.kill()
                return {"statusReason": self._host_lost}
            if self._stop_reason is not None:
                return {"exitCode": self._stop(process), "statusReason": self._stop_reason}
            if self.timeout_s is not None and elapsed > self.timeout_s:
                return {"exitCode": self._stop(process), "statusReason": "Job attempt duration exceeded timeout"}
        return {"exitCode": code, "statusReason": "Essential container in task exited"}

    def _stop(self, process: JobProcess) -> int:
        process.terminate()
        code = process.wait(settings.stop_grace_s)
        if code is None:
            process.kill()
            code = process.wait(5)
        return 137 if code is None else code

    def summary(self) -> dict[str, Any]:
        times = {"startedAt": self.started_at, "stoppedAt": self.stopped_at, "statusReason": self.status_reason}
        known = {name: value for name, value in times.items() if value is not None}
        seen = {k: v for k, v in self.container.items() if k in ("exitCode", "reason")}
        return {
            "jobId": self.id,
            "jobArn": self.arn,
            "jobName": self.job_name,
            "createdAt": self.created_at,
            "status": self.status,
            "jobDefinition": self.definition["jobDefinitionArn"],
            **known,
            **({"container": seen} if seen else {}),
        }

    def describe(self) -> dict[str, Any]:
        own = batch_container.containers(self.definition, self._overrides())[0]
        shown = {k: own[k] for k in ("image", "command", "environment", "resourceRequirements") if k in own}
        about = {
            "jobQueue": self.queue.arn,
            "attempts": self.attempts,
            "dependsOn": [],
            "parameters": self.parameters,
            "tags": self.tags,
            "retryStrategy": self.strategy,
            "platformCapabilities": self.definition.get("platformCapabilities", ["EC2"]),
            "container": {**shown, "logStreamName": "", **self.container},
        }
        timeout = {"timeout": {"attemptDurationSeconds": self.timeout_s}} if self.timeout_s is not None else {}
        return {**self.summary(), **about, **timeout}


def _exit_of(fault: dict[str, Any]) -> dict[str, Any]:
    reason = {"reason": fault["reason"]} if "reason" in fault else {}
    return {"exitCode": fault["exitCode"], "statusReason": "Essential container in task exited", **reason}
