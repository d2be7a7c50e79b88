"""What an attempt of a job runs: command, environment and program, from definition, overrides and parameters."""

import fnmatch
import json
import re
from typing import Any

import settings
from moto.secretsmanager.models import secretsmanager_backends

# Parameter names of Batch; a placeholder without a value stays as it is.
_placeholder = re.compile(r"Ref::([A-Za-z0-9_-]+)")


class CannotStart(Exception):
    """The container never ran; its text is the container's `reason`."""


def program(image: str, programs: list[dict[str, Any]]) -> dict[str, Any]:
    for known in programs:
        if fnmatch.fnmatchcase(image, known["image"]):
            return known
    raise CannotStart(
        "CannotPullContainerError: pull image manifest has been retried 1 time(s): "
        f"failed to resolve ref {image}: {image}: not found"
    )


def containers(definition: dict[str, Any], overrides: dict[str, Any]) -> list[dict[str, Any]]:
    """The containers of a job, each with its overrides merged in; the job's own one comes first."""
    if "containerProperties" in definition:
        return [_merged({"name": "default", **definition["containerProperties"]}, overrides)]
    task = definition["ecsProperties"]["taskProperties"][0]
    by_name = {c.get("name"): c for t in overrides.get("taskProperties", []) for c in t.get("containers", [])}
    merged = [_merged(c, by_name.get(c.get("name"), {})) for c in task["containers"]]
    # What keeps a job alive is its essential containers; the first of them is the one that it reports.
    return sorted(merged, key=lambda c: not c.get("essential", True))


def _merged(container: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    env = {e["name"]: e.get("value", "") for e in container.get("environment", [])}
    env |= {e["name"]: e.get("value", "") for e in overrides.get("environment", [])}
    return {
        **container,
        "command": overrides.get("command") or container.get("command", []),
        "environment": [{"name": name, "value": value} for name, value in env.items()],
    }


def filled(command: list[str], parameters: dict[str, str]) -> list[str]:
    return [_placeholder.sub(lambda found: parameters.get(found[1], found[0]), part) for part in command]


def environment(container: dict[str, Any], job: dict[str, Any], region: str) -> dict[str, str]:
    """Of `job`: id, attempt, queue, environment (names as Batch sets them)."""
    env = {
        **settings.cloud_environment(region),
        "HOME": settings.work_dir,
        "AWS_BATCH_JOB_ID": job["id"],
        "AWS_BATCH_JOB_ATTEMPT": str(job["attempt"]),
        "AWS_BATCH_JQ_NAME": job["queue"],
        "AWS_BATCH_CE_NAME": job["environment"],
    }
    env |= {e["name"]: e["value"] for e in container["environment"]}
    env |= {s["name"]: _secret(s["valueFrom"], region) for s in container.get("secrets", [])}
    return env


def _secret(value_from: str, region: str) -> str:
    """`valueFrom` is an ARN of Secrets Manager, or `arn:json-key:version-stage:version-id`."""
    parts = value_from.split(":")
    arn, key = ":".join(parts[:7]), parts[7] if len(parts) > 7 else ""
    try:
        text = secretsmanager_backends[settings.account][region].get_secret_value(arn, None, None)["SecretString"]
        return json.loads(text)[key] if key else text
    except Exception as error:
        raise CannotStart(
            "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval "
            f"failed: unable to retrieve secret from asm: {arn}: {type(error).__name__}"
        ) from error
