"""Whether what a stack says it made is there, asked of each service's own API."""

from collections.abc import Callable
from typing import Any

import boto3
import settings

Client = Callable[[str], Any]
# Asks for one resource by its physical id; an exception or an empty answer means that it is not there.
Look = Callable[[str, Client], Any]


def _ec2(operation: str, ids: str, found: str) -> Look:
    return lambda name, client: getattr(client("ec2"), operation)(**{ids: [name]})[found]


def _batch(operation: str, names: str, found: str) -> Look:
    return lambda name, client: getattr(client("batch"), operation)(**{names: [name]})[found]


def _attributes(name: str, client: Client) -> Any:
    return client("sqs").get_queue_attributes(QueueUrl=name, AttributeNames=["All"])["Attributes"]


_looks: dict[str, Look] = {
    "AWS::Batch::ComputeEnvironment": _batch(
        "describe_compute_environments", "computeEnvironments", "computeEnvironments"
    ),
    "AWS::Batch::JobDefinition": _batch("describe_job_definitions", "jobDefinitions", "jobDefinitions"),
    "AWS::Batch::JobQueue": _batch("describe_job_queues", "jobQueues", "jobQueues"),
    "AWS::Batch::SchedulingPolicy": _batch("describe_scheduling_policies", "arns", "schedulingPolicies"),
    "AWS::CloudWatch::Alarm": lambda name, c: c("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"],
    "AWS::CloudWatch::Dashboard": lambda name, c: c("cloudwatch").get_dashboard(DashboardName=name),
    "AWS::DynamoDB::Table": lambda name, c: c("dynamodb").describe_table(TableName=name),
    "AWS::EC2::InternetGateway": _ec2("describe_internet_gateways", "InternetGatewayIds", "InternetGateways"),
    "AWS::EC2::LaunchTemplate": _ec2("describe_launch_templates", "LaunchTemplateIds", "LaunchTemplates"),
    "AWS::EC2::RouteTable": _ec2("describe_route_tables", "RouteTableIds", "RouteTables"),
    "AWS::EC2::SecurityGroup": _ec2("describe_security_groups", "GroupIds", "SecurityGroups"),
    "AWS::EC2::Subnet": _ec2("describe_subnets", "SubnetIds", "Subnets"),
    "AWS::EC2::VPC": _ec2("describe_vpcs", "VpcIds", "Vpcs"),
    "AWS::EC2::VPCEndpoint": _ec2("describe_vpc_endpoints", "VpcEndpointIds", "VpcEndpoints"),
    "AWS::ECR::Repository": lambda name, c: c("ecr").describe_repositories(repositoryNames=[name])["repositories"],
    "AWS::Events::Rule": lambda name, c: c("events").list_targets_by_rule(Rule=name.rsplit("|", 1)[-1])["Targets"],
    "AWS::IAM::InstanceProfile": lambda name, c: c("iam").get_instance_profile(InstanceProfileName=name),
    "AWS::IAM::Role": lambda name, c: c("iam").get_role(RoleName=name),
    "AWS::Lambda::EventSourceMapping": lambda name, c: c("lambda").get_event_source_mapping(UUID=name),
    "AWS::Lambda::Function": lambda name, c: c("lambda").get_function(FunctionName=name),
    "AWS::Lambda::Url": lambda name, c: c("lambda").get_function_url_config(FunctionName=name),
    "AWS::Logs::LogGroup": lambda name, c: c("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"],
    "AWS::S3::Bucket": lambda name, c: c("s3").head_bucket(Bucket=name),
    "AWS::S3::BucketPolicy": lambda name, c: c("s3").get_bucket_policy(Bucket=name)["Policy"],
    "AWS::SNS::Topic": lambda name, c: c("sns").get_topic_attributes(TopicArn=name),
    "AWS::SQS::Queue": _attributes,
    "AWS::SSM::Parameter": lambda name, c: c("ssm").get_parameter(Name=name),
    "AWS::Scheduler::Schedule": lambda name, c: c("scheduler").get_schedule(Name=name),
    "AWS::SecretsManager::Secret": lambda name, c: c("secretsmanager").describe_secret(SecretId=name),
    "AWS::StepFunctions::StateMachine": lambda name, c: c("stepfunctions").describe_state_machine(stateMachineArn=name),
}


def take(stack: str, region: str) -> list[dict[str, Any]]:
    """Each resource of the stack: `there` is absent for a type that no API of the emulator shows."""

    def client(service: str) -> Any:
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        return boto3.client(service, region_name=region, endpoint_url=settings.endpoint, **keys)

    pages = client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
    return [_entry(resource, client) for page in pages for resource in page["StackResourceSummaries"]]


def _entry(resource: dict[str, Any], client: Client) -> dict[str, Any]:
    kind = resource["ResourceType"]
    entry = {"id": resource["LogicalResourceId"], "type": kind, "name": resource.get("PhysicalResourceId", "")}
    if kind not in _looks:
        return entry
    try:
        return {**entry, "there": bool(_looks[kind](entry["name"], client))}
    except Exception as error:
        return {**entry, "there": False, "why": f"{type(error).__name__}: {error}"}
