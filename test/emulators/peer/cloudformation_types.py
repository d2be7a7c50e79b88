"""Resource types that moto's CloudFormation does not know, made through the service's own API.

The SDK checks each request against the service's model, so that a property that the API does not know is refused.
"""

import json
from collections.abc import Callable
from typing import Any

import batch
import boto3
import settings
from moto.core.common_models import CloudFormationModel
from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket

# A resource: its physical id, and what Fn::GetAtt gives.
Made = tuple[str, dict[str, str]]
Maker = Callable[[dict[str, Any], str, Callable[[str], Any]], Made]


def _client(region: str) -> Callable[[str], Any]:
    def make(service: str):
        credentials = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        return boto3.client(service, region_name=region, endpoint_url=settings.endpoint, **credentials)

    return make


def _bucket_policy(given: dict[str, Any], name: str, client: Callable[[str], Any]) -> Made:
    client("s3").put_bucket_policy(Bucket=given["Bucket"], Policy=json.dumps(given["PolicyDocument"]))
    return given["Bucket"], {}


def _queue_policy(given: dict[str, Any], name: str, client: Callable[[str], Any]) -> Made:
    for url in given["Queues"]:
        policy = {"Policy": json.dumps(given["PolicyDocument"])}
        client("sqs").set_queue_attributes(QueueUrl=url, Attributes=policy)
    return name, {}


def _topic_policy(given: dict[str, Any], name: str, client: Callable[[str], Any]) -> Made:
    for arn in given["Topics"]:
        policy = json.dumps(given["PolicyDocument"])
        client("sns").set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy)
    return name, {}


def _alarm(given: dict[str, Any], name: str, client: Callable[[str], Any]) -> Made:
    client("cloudwatch").put_metric_alarm(**{"AlarmName": name, **given})
    return given.get("AlarmName", name), {}


def _secret(given: dict[str, Any], name: str, client: Callable[[str], Any]) -> Made:
    secret = client("secretsmanager").create_secret(**{"Name": name, **given})
    return secret["ARN"], {"Id": secret["ARN"]}


def _schedule(given: dict[str, Any], name: str, client: Callable[[str], Any]) -> Made:
    made = client("scheduler").create_schedule(**{"Name": name, **given})
    return given.get("Name", name), {"Arn": made["ScheduleArn"]}


def _function_url(given: dict[str, Any], name: str, client: Callable[[str], Any]) -> Made:
    function = given.pop("TargetFunctionArn")
    made = client("lambda").create_function_url_config(FunctionName=function, **given)
    return function, {"FunctionUrl": made["FunctionUrl"], "FunctionArn": function}


def _invoke_config(given: dict[str, Any], name: str, client: Callable[[str], Any]) -> Made:
    client("lambda").put_function_event_invoke_config(**given)
    return name, {}


def _scheduling_policy(given: dict[str, Any], name: str, client: Callable[[str], Any]) -> Made:
    made = client("batch").create_scheduling_policy(**batch.camel({"Name": name, **given}))
    return made["arn"], {"Arn": made["arn"]}


# Numbers that CloudFormation also takes as text are given as numbers here.
_types: dict[str, Maker] = {
    "AWS::S3::BucketPolicy": _bucket_policy,
    "AWS::SQS::QueuePolicy": _queue_policy,
    "AWS::SNS::TopicPolicy": _topic_policy,
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::SecretsManager::Secret": _secret,
    "AWS::Scheduler::Schedule": _schedule,
    "AWS::Lambda::Url": _function_url,
    "AWS::Lambda::EventInvokeConfig": _invoke_config,
    "AWS::Batch::SchedulingPolicy": _scheduling_policy,
}


def install() -> None:
    # moto does not read a policy's conditions, and so refuses everything where only plain HTTP is forbidden.
    FakeBucket.get_permission = lambda self, action, resource: PermissionResult.NEUTRAL
    for name, maker in _types.items():
        _define(name, maker)


def _define(resource_type: str, maker: Maker) -> None:
    def create(cls, resource_name, cloudformation_json, account_id, region_name, **_):
        made = cls()
        made.physical, made.attributes = maker(
            dict(cloudformation_json["Properties"]), resource_name, _client(region_name)
        )
        return made

    def update(cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name):
        # What a redeployment changes of these is not looked at; the first deployment made them.
        return original_resource

    # moto finds resource types as subclasses, when the first template is read.
    type(
        resource_type.replace("::", ""),
        (CloudFormationModel,),
        {
            "physical_resource_id": property(lambda self: self.physical),
            "cloudformation_name_type": staticmethod(lambda: ""),
            "cloudformation_type": staticmethod(lambda: resource_type),
            "has_cfn_attr": classmethod(lambda cls, attribute: True),
            "get_cfn_attribute": lambda self, attribute: self.attributes[attribute],
            "create_from_cloudformation_json": classmethod(create),
            "update_from_cloudformation_json": classmethod(update),
            "delete_from_cloudformation_json": classmethod(lambda cls, *_, **__: None),
            "is_created": lambda self: True,
        },
    )
    _kept.append(CloudFormationModel.__subclasses__()[-1])


# Subclasses are known by weak references only.
_kept: list[type] = []
