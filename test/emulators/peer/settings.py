"""What the peer was started with: the JSON of the variable PEER_SETTINGS, written by start.ts."""

import json
import os
from typing import Any

_given: dict[str, Any] = json.loads(os.environ.get("PEER_SETTINGS", "{}"))

# The Node process that runs handlers.
lambda_host: str = _given.get("lambdaHost", "")
# A folder of its own for unpacked functions; removed by start.ts.
work_dir: str = _given.get("workDir", "/tmp")
# What a job runs, by its image: [{"image": glob, "command": [...], "cwd": ...}].
programs: list[dict[str, Any]] = _given.get("programs", [])
# What the containers beside a job's own run, by the same rule.
sidecars: list[dict[str, Any]] = _given.get("sidecars", [])
# Handlers of functions that are images: [{"image": glob, "dir": ..., "handler": ...}].
image_functions: list[dict[str, Any]] = _given.get("imageFunctions", [])
# Jobs that run at once, whatever the compute environments allow: the machine of the test has few cores.
jobs_at_once: int = _given.get("jobsAtOnce", 4)
# Seconds between SIGTERM and SIGKILL; ECS gives 30.
stop_grace_s: float = _given.get("stopGraceSeconds", 30)
# Retry intervals and batching windows are cut to this many seconds: nothing here needs time to recover.
longest_wait_s: float = _given.get("longestWaitSeconds", 0.5)

account = "123456789012"
credentials = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
}
endpoint = ""


def cloud_environment(region: str) -> dict[str, str]:
    """What every process in the emulated account has: where it is, who it is, and nothing of the tester's own."""
    path = os.environ.get("PATH", "/usr/bin:/bin")
    return {
        "PATH": path,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
        **credentials,
    }
