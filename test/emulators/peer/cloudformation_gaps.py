"""What moto's CloudFormation lacks for the resources that are deployed here."""

import base64
import io
import logging
import zipfile
from typing import Any

import settings
from moto.awslambda.models import LambdaFunction
from moto.awslambda.utils import get_backend
from moto.batch import models as batch_models
from moto.cloudformation import custom_model, models, parsing, responses, utils
from moto.cloudformation.exceptions import UnformattedGetAttTemplateException, ValidationError
from moto.iam.models import iam_backends
from moto.sqs.models import Queue
from moto.ssm.models import Parameter


def install() -> None:
    _compute_environments()
    _attribute(batch_models.ComputeEnvironment, "ComputeEnvironmentArn")
    _attribute(batch_models.JobQueue, "JobQueueArn")
    _change_sets()
    _template_urls()
    _custom_resources()
    _parameters()
    _functions()
    _named_failures()
    # A queue's URL, which its Ref gives, is where the SDK sends to, whatever endpoint it was told.
    Queue.physical_resource_id = property(lambda self: f"{settings.endpoint}/{self.account_id}/{self.name}")


def _named_failures() -> None:
    """A resource that cannot be made fails the stack by its own name, not with another service's error document."""
    original = parsing.parse_and_create_resource

    def create(logical_id, resource_json, *rest, **named):
        try:
            return original(logical_id, resource_json, *rest, **named)
        except Exception as error:
            logging.exception("%s (%s)", logical_id, resource_json.get("Type"))
            why = getattr(error, "message", None) or str(error)
            raise ValidationError(None, message=f"{logical_id} ({resource_json.get('Type')}): {why}") from error

    parsing.parse_and_create_resource = create


def _compute_environments() -> None:
    original = batch_models.ComputeEnvironment.create_from_cloudformation_json.__func__

    def create(cls, resource_name, cloudformation_json, account_id, region_name, **rest):
        properties = cloudformation_json["Properties"]
        # Without a role, Batch uses its service-linked one.
        properties.setdefault("ServiceRole", _service_role(account_id))
        # CDK writes "managed": CloudFormation takes any case.
        properties["Type"] = properties["Type"].upper()
        resources = properties["ComputeResources"]
        resources.setdefault("MinvCpus", 0)
        if "FARGATE" not in resources["Type"]:
            resources.setdefault("InstanceTypes", ["optimal"])
        return original(cls, resource_name, cloudformation_json, account_id, region_name, **rest)

    batch_models.ComputeEnvironment.create_from_cloudformation_json = classmethod(create)


def _service_role(account: str) -> str:
    backend = iam_backends[account]["aws"]
    for role in backend.roles.values():
        if role.path.startswith("/aws-service-role/batch."):
            return role.arn
    return backend.create_service_linked_role("batch.amazonaws.com", "", "").arn


def _attribute(model: Any, name: str) -> None:
    """`Fn::GetAtt` of the resource's ARN."""

    def get(self, attribute: str) -> str:
        if attribute != name:
            raise UnformattedGetAttTemplateException
        return self.arn

    model.has_cfn_attr = classmethod(lambda cls, attribute: attribute == name)
    model.get_cfn_attribute = get


def _change_sets() -> None:
    """A stack made by a change set (what `cdk deploy` does) has outputs and a template too."""
    original = models.ChangeSet.apply

    def apply(self) -> None:
        original(self)
        self.stack.template, self.stack.template_dict = self.template, self.template_dict
        self.stack.output_map = self.stack._create_output_map()

    models.ChangeSet.apply = apply


def _template_urls() -> None:
    """moto takes a path-style URL only of "localhost", and the SDKs write one only for an IP."""
    original = utils.get_stack_from_s3_url

    def from_url(template_url: str, account_id: str, partition: str) -> str:
        return original(template_url.replace("//127.0.0.1", "//localhost"), account_id, partition)

    responses.get_stack_from_s3_url = models.get_stack_from_s3_url = from_url


def _custom_resources() -> None:
    """CDK's own helpers (bucket emptying and the like) are not what is tested here: they report success at once."""

    def create(cls, resource_name, cloudformation_json, account_id, region_name, **_):
        made = cls(region_name=region_name, request_id="-", logical_id=resource_name, resource_name=resource_name)
        made._finished = True
        return made

    custom_model.CustomModel.create_from_cloudformation_json = classmethod(create)


def _parameters() -> None:
    original = Parameter.create_from_cloudformation_json.__func__

    def create(cls, resource_name, cloudformation_json, account_id, region_name, **rest):
        tags = cloudformation_json["Properties"].get("Tags")
        if isinstance(tags, dict):
            # This resource type has its tags as a map; moto expects a list.
            cloudformation_json["Properties"]["Tags"] = [{"Key": k, "Value": v} for k, v in tags.items()]
        return original(cls, resource_name, cloudformation_json, account_id, region_name, **rest)

    Parameter.create_from_cloudformation_json = classmethod(create)


# Properties of a function whose names in CloudFormation and in CreateFunction are the same.
_function_properties = (
    "Architectures", "DeadLetterConfig", "Description", "Environment", "EphemeralStorage", "Handler", "ImageConfig",
    "Layers", "LoggingConfig", "MemorySize", "PackageType", "ReservedConcurrentExecutions", "Role", "Runtime",
    "Timeout", "TracingConfig", "VpcConfig",
)  # fmt: skip


def _functions() -> None:
    """moto takes a third of a function's properties, and inline code as Python's only."""

    def create(cls, resource_name, cloudformation_json, account_id, region_name, **_):
        properties = cloudformation_json["Properties"]
        code = dict(properties["Code"])
        if "ZipFile" in code:
            code["ZipFile"] = _zipped(code["ZipFile"], properties["Runtime"])
        spec = {name: properties[name] for name in _function_properties if name in properties}
        tags = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}
        numbers = {n: int(spec[n]) for n in ("Timeout", "MemorySize", "ReservedConcurrentExecutions") if n in spec}
        spec |= {**numbers, "Code": code, "FunctionName": resource_name, "Tags": tags}
        return get_backend(account_id, region_name).create_function(spec)

    LambdaFunction.create_from_cloudformation_json = classmethod(create)


def _zipped(code: str, runtime: str) -> bytes:
    """Inline code is the file `index` of its runtime's language."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("index.py" if runtime.startswith("python") else "index.js", code)
    return base64.b64encode(made.getvalue())
