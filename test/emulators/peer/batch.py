"""AWS Batch whose jobs run: replaces moto's job definitions and jobs; queues and compute environments stay moto's."""

import base64
import json
import re
import threading
from typing import Any

import botocore.session
import settings
from batch_job import Job
from botocore.validate import ParamValidator
from moto.batch import models
from moto.batch.exceptions import ClientException
from moto.batch.responses import BatchResponse

_model = botocore.session.get_session().get_service_model("batch")
_job_name = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$")
# What users choose the names of; everything else in Batch's API starts with a small letter.
_free_keys = {"parameters", "tags", "options", "labels", "annotations"}

_lock = threading.RLock()
_definitions: dict[str, dict[str, Any]] = {}
jobs: dict[str, Job] = {}


def checked(operation: str, request: dict[str, Any]) -> dict[str, Any]:
    """@raises ClientException for a field that the service's own model does not know, or of another type."""
    report = ParamValidator().validate(request, _model.operation_model(operation).input_shape)
    if report.has_errors():
        raise ClientException(f"{operation}: {report.generate_report()}")
    return request


def camel(value: Any, to_lower: bool = True) -> Any:
    """CloudFormation and Step Functions write JobName where the API says jobName."""
    if isinstance(value, list):
        return [camel(item, to_lower) for item in value]
    if not isinstance(value, dict):
        return value
    turned = {}
    for key, inner in value.items():
        name = (key[:1].lower() if to_lower else key[:1].upper()) + key[1:]
        is_free = name[:1].lower() + name[1:] in _free_keys and isinstance(inner, dict)
        turned[name] = inner if is_free else camel(inner, to_lower)
    return turned


def register(request: dict[str, Any], region: str) -> dict[str, Any]:
    checked("RegisterJobDefinition", request)
    name = request["jobDefinitionName"]
    kinds = [kind for kind in ("containerProperties", "ecsProperties") if kind in request]
    if request["type"] != "container" or len(kinds) != 1:
        raise ClientException("a job definition of type container has containerProperties or ecsProperties")
    with _lock:
        revision = 1 + sum(d["jobDefinitionName"] == name for d in _definitions.values())
        arn = f"arn:aws:batch:{region}:{settings.account}:job-definition/{name}:{revision}"
        _definitions[arn] = {**request, "jobDefinitionArn": arn, "revision": revision, "status": "ACTIVE"}
        return _definitions[arn]


def find_definition(wanted: str) -> dict[str, Any] | None:
    """By ARN, `name:revision`, or name (the newest active one)."""
    short = wanted.rsplit("/", 1)[-1]
    name, _, revision = short.partition(":")
    found = [d for d in _definitions.values() if d["jobDefinitionName"] == name and d["status"] == "ACTIVE"]
    if revision:
        found = [d for d in found if str(d["revision"]) == revision]
    return max(found, key=lambda d: d["revision"], default=None)


def submit(request: dict[str, Any], region: str) -> Job:
    checked("SubmitJob", request)
    if _job_name.match(request["jobName"]) is None:
        raise ClientException(f"Job name {request['jobName']} should match {_job_name.pattern}")
    definition = find_definition(request["jobDefinition"])
    if definition is None:
        raise ClientException(f"JobDefinition {request['jobDefinition']} not found.")
    queue = models.batch_backends[settings.account][region].get_job_queue(request["jobQueue"])
    if queue is None or queue.state != "ENABLED":
        raise ClientException(f"JobQueue {request['jobQueue']} not found.")
    _check_fit(request, definition, queue)
    job = Job(request, definition, queue, region)
    with _lock:
        jobs[job.id] = job
    job.start()
    return job


def _check_fit(request: dict[str, Any], definition: dict[str, Any], queue: Any) -> None:
    if queue.schedule_policy and not request.get("shareIdentifier"):
        raise ClientException("A share identifier is required for jobs submitted to a fair share job queue.")
    if not queue.schedule_policy and request.get("shareIdentifier"):
        raise ClientException("A share identifier is only valid for jobs submitted to a fair share job queue.")
    on_fargate = any("FARGATE" in str(e.compute_resources.get("type", "")) for e in queue.environments)
    if on_fargate != ("FARGATE" in definition.get("platformCapabilities", ["EC2"])):
        raise ClientException(f"Job definition and queue {queue.name} are for different platforms (EC2, FARGATE).")
    tags = request.get("tags", {})
    if len(tags) > 50 or any(not re.match(r"^[\w\s.:/=+\-@]{0,256}$", str(v)) for v in tags.values()):
        raise ClientException(f"Invalid tags: {json.dumps(tags)}")


def kill_all() -> None:
    for job in list(jobs.values()):
        job.kill()


def _page(items: list[Any], request: dict[str, Any], largest: int) -> tuple[list[Any], dict[str, str]]:
    start = int(base64.b64decode(request["nextToken"])) if request.get("nextToken") else 0
    size = min(request.get("maxResults") or largest, largest)
    more = {"nextToken": base64.b64encode(str(start + size).encode()).decode()} if len(items) > start + size else {}
    return items[start : start + size], more


def _list(request: dict[str, Any], region: str) -> dict[str, Any]:
    queue = models.batch_backends[settings.account][region].get_job_queue(request.get("jobQueue", ""))
    if queue is None:
        raise ClientException(f"JobQueue {request.get('jobQueue')} not found.")
    listed = [job for job in jobs.values() if job.queue.arn == queue.arn]
    if filters := request.get("filters"):
        # With a filter, jobStatus is ignored (ListJobs, API reference).
        listed = [job for job in listed if all(_passes(job, f) for f in filters)]
    else:
        listed = [job for job in listed if job.status == request.get("jobStatus", "RUNNING")]
    listed.sort(key=lambda job: job.created_at, reverse=True)
    page, more = _page(listed, request, 100)
    return {"jobSummaryList": [job.summary() for job in page], **more}


def _passes(job: Job, wanted: dict[str, Any]) -> bool:
    if wanted["name"] == "JOB_NAME":
        return any(
            job.job_name.lower().startswith(v[:-1].lower()) if v.endswith("*") else job.job_name.lower() == v.lower()
            for v in wanted["values"]
        )
    if wanted["name"] == "AFTER_CREATED_AT":
        return job.created_at > int(wanted["values"][0])
    raise ClientException(f"the emulator does not know the filter {wanted['name']}")


def _describe_definitions(request: dict[str, Any]) -> dict[str, Any]:
    names, name = request.get("jobDefinitions"), request.get("jobDefinitionName")
    found = list(_definitions.values())
    if names:
        short = [n.rsplit("/", 1)[-1] for n in names]
        found = [d for d in found if f"{d['jobDefinitionName']}:{d['revision']}" in short]
    elif name:
        found = [d for d in found if d["jobDefinitionName"] == name]
    if request.get("status"):
        found = [d for d in found if d["status"] == request["status"]]
    page, more = _page(found, request, 100)
    return {"jobDefinitions": page, **more}


def _terminate(request: dict[str, Any], may_run: bool) -> dict[str, Any]:
    job = jobs.get(request["jobId"])
    if job is not None and (may_run or job.status in ("SUBMITTED", "PENDING", "RUNNABLE")):
        job.terminate(request["reason"])
    return {}


def _deregister(request: dict[str, Any]) -> dict[str, Any]:
    definition = find_definition(request["jobDefinition"])
    if definition is not None:
        definition["status"] = "INACTIVE"
    return {}


def _submitted(job: Job) -> dict[str, Any]:
    return {"jobName": job.job_name, "jobId": job.id, "jobArn": job.arn}


def _registered(definition: dict[str, Any]) -> dict[str, Any]:
    return {name: definition[name] for name in ("jobDefinitionName", "jobDefinitionArn", "revision")}


_operations = {
    "SubmitJob": lambda request, region: _submitted(submit(request, region)),
    "DescribeJobs": lambda request, _: {"jobs": [jobs[i].describe() for i in request["jobs"] if i in jobs]},
    "ListJobs": _list,
    "TerminateJob": lambda request, _: _terminate(request, may_run=True),
    "CancelJob": lambda request, _: _terminate(request, may_run=False),
    "RegisterJobDefinition": lambda request, region: _registered(register(request, region)),
    "DeregisterJobDefinition": lambda request, _: _deregister(request),
    "DescribeJobDefinitions": lambda request, _: _describe_definitions(request),
}


def _responder(operation: str):
    def respond(self: BatchResponse) -> str:
        request = checked(operation, json.loads(self.body or "{}"))
        return json.dumps(_operations[operation](request, self.region))

    return respond


class _Definition:
    """What CloudFormation sees of a job definition."""

    type = "AWS::Batch::JobDefinition"

    def __init__(self, arn: str):
        self.physical_resource_id = arn

    def is_created(self) -> bool:
        return True

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr == "JobDefinitionArn"

    def get_cfn_attribute(self, _: str) -> str:
        return self.physical_resource_id


def _from_cloudformation(cls, resource_name, cloudformation_json, account_id, region_name, **_):
    properties = camel(cloudformation_json["Properties"])
    # CloudFormation's own: what it does with the revision before. Here that one stays.
    properties.pop("resourceRetentionPolicy", None)
    for number in ("attempts", "attemptDurationSeconds"):
        _as_numbers(properties, number)
    definition = register({**properties, "jobDefinitionName": resource_name}, region_name)
    return _Definition(definition["jobDefinitionArn"])


def _as_numbers(value: Any, name: str) -> None:
    """CloudFormation takes "3" where the API wants 3."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        if key == name and isinstance(inner, str):
            value[key] = int(inner)
        elif isinstance(inner, dict | list):
            _as_numbers(inner, name)


def install() -> None:
    for operation in _operations:
        setattr(BatchResponse, operation.lower(), _responder(operation))
    models.JobDefinition.create_from_cloudformation_json = classmethod(_from_cloudformation)
    models.JobDefinition.update_from_cloudformation_json = classmethod(
        lambda cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name: (
            _from_cloudformation(cls, new_resource_name, cloudformation_json, account_id, region_name)
        )
    )
    models.JobDefinition.delete_from_cloudformation_json = classmethod(
        lambda cls, resource_name, *_, **__: _deregister({"jobDefinition": resource_name})
    )
