"""Step Functions by moto's interpreter, with what it lacks for the states that are used here.

- Lambda and Batch tasks run the real thing; a task that is stopped or times out terminates its job.
- A distributed map fails when more children failed than it tolerates, and each child is an execution of its own.
- Executions report their status on the default event bus, as the service does.
- Fields that the interpreter would not know are refused (definitions.py).
"""

import datetime
import functools
import json
import sys
import time
import uuid
from types import SimpleNamespace
from typing import Any

import batch
import boto3
import definitions
import event_targets
import functions
import settings
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.core.responses import ActionResult
from moto.stepfunctions import models
from moto.stepfunctions.parser import api as parser_api
from moto.stepfunctions.parser.api import HistoryEventType, TaskFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.error_name import ErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_map.item_reader.item_reader_decl import (
    ItemReader,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import (
    distributed_iteration_component as distributed,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.itemprocessor import (
    distributed_item_processor_worker as worker,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.job import JobPool
from moto.stepfunctions.parser.asl.component.state.exec.state_map.result_writer.result_writer_decl import (
    ResultWriter,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_callback,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_batch import (
    StateTaskServiceBatch,
)
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.backend import execution as executions
from moto.stepfunctions.parser.models import StepFunctionsParserBackend, stepfunctions_parser_backends
from moto.stepfunctions.responses import StepFunctionResponse

_poll_s = 0.05


def install() -> None:
    # CloudFormation makes state machines in the backend that does not execute; there is to be only one.
    models.stepfunctions_backends = stepfunctions_parser_backends
    _share_clients()
    _strict_definitions()
    _lambda_tasks()
    _batch_tasks()
    _distributed_maps()
    _status_events()
    # A Fail state passes on the name of the error that it was given, which may be one of Step Functions' own.
    CustomErrorName.__init__ = lambda self, error_name: ErrorName.__init__(self, error_name)
    retrier_decl.time = SimpleNamespace(sleep=lambda s: time.sleep(min(float(s), settings.longest_wait_s)))


def _share_clients() -> None:
    """A client of its own for each task costs 0.1 s of processor time."""

    @functools.cache
    def client(service: str, region: str):
        config = Config(parameter_validation=False, retries={"total_max_attempts": 1}, read_timeout=3600)
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=settings.endpoint,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            config=config,
        )

    def boto_client_for(region: str, service: str, state_credentials: Any = None):
        return client(service, region)

    for module in list(sys.modules.values()):
        if getattr(module, "__name__", "").startswith("moto.stepfunctions") and hasattr(module, "boto_client_for"):
            module.boto_client_for = boto_client_for


def _strict_definitions() -> None:
    original = StepFunctionsParserBackend._validate_definition

    def validate(definition: str) -> None:
        definitions.check(definition)
        try:
            original(definition)
        except parser_api.InvalidDefinition as error:
            raise definitions.InvalidDefinition(error.message) from error

    StepFunctionsParserBackend._validate_definition = staticmethod(validate)


def _lambda_tasks() -> None:
    def invoke(parameters: dict[str, Any], region: str, state_credentials: Any) -> dict[str, Any]:
        payload = parameters.get("Payload", b"{}")
        function = functions.find(parameters["FunctionName"], region)
        answer = functions.invoke(function, payload.decode() if isinstance(payload, bytes) else payload)
        response = {"ExecutedVersion": "$LATEST", "StatusCode": 200, "Payload": json.loads(answer.payload)}
        return {**response, "FunctionError": answer.error} if answer.error else response

    lambda_eval_utils._invoke_lambda_function = invoke


def _batch_tasks() -> None:
    def run(self, env, resource_runtime_part, normalised_parameters, state_credentials) -> None:
        try:
            job = batch.submit(batch.camel(normalised_parameters), resource_runtime_part.region)
        except Exception as error:
            raise _client_error(error) from error
        env.stack.append({"JobArn": job.arn, "JobId": job.id, "JobName": job.job_name})

    def resolver(self, env, resource_runtime_part, normalised_parameters, state_credentials):
        job = batch.jobs[env.stack.pop()["JobId"]]

        def look() -> dict[str, Any] | None:
            if job.status not in ("SUCCEEDED", "FAILED"):
                return None
            described = batch.camel(job.describe(), to_lower=False)
            if job.status == "SUCCEEDED":
                return described
            raise FailureEventException(_job_failed(self, env, described))

        look.job = job
        return look

    def wait(self, env, sync_resolver, timeout_seconds, callback_endpoint, heartbeat_endpoint):
        while env.is_running():
            if (result := sync_resolver()) is not None:
                return result
            time.sleep(_poll_s)
        # Stopped, or out of time: Step Functions then terminates the job (its docs, "Run a job (.sync)").
        sync_resolver.job.terminate("Step Functions execution was stopped or timed out")
        return None

    StateTaskServiceBatch._eval_service_task = run
    StateTaskServiceBatch._build_sync_resolver = resolver
    StateTaskServiceBatch._eval_sync = wait
    state_task_service_callback._DELAY_SECONDS_SYNC_CONDITION_CHECK = _poll_s
    definitions.batch_parameters = state_task_batch_parameters()


def state_task_batch_parameters() -> set[str]:
    shape = batch._model.operation_model("SubmitJob").input_shape
    return {name[:1].upper() + name[1:] for name in shape.members}


def _client_error(error: Exception) -> Exception:
    if isinstance(error, ClientError):
        return error
    about = {"Code": "ClientException", "Message": getattr(error, "message", str(error))}
    metadata = {"HTTPStatusCode": 400, "RequestId": str(uuid.uuid4())}
    return ClientError({"Error": about, "ResponseMetadata": metadata}, "SubmitJob")


def _job_failed(task: Any, env: Any, described: dict[str, Any]) -> FailureEvent:
    name = "States.TaskFailed"
    details = TaskFailedEventDetails(
        resource=task._get_sfn_resource(),
        resourceType=task._get_sfn_resource_type(),
        error=name,
        cause=json.dumps(described, separators=(",", ":")),
    )
    return FailureEvent(
        env=env,
        error_name=CustomErrorName(name),
        event_type=HistoryEventType.TaskFailed,
        event_details=EventDetails(taskFailedEventDetails=details),
    )


def _distributed_maps() -> None:
    def map_run(self, env, eval_input) -> None:
        items = env.stack.pop()
        record = eval_input.map_run_record
        pool = JobPool(job_program=self._get_iteration_program(), job_inputs=items)
        most = record.max_concurrency or len(items)
        for _ in range(min(most, len(items))):
            self._launch_worker(env=env, eval_input=eval_input, job_pool=pool)
        pool.await_jobs()
        if (error := pool.get_worker_exception()) is not None:
            raise error
        _check_tolerance(env, record, len(items))
        env.stack.append([job.job_output for job in pool.get_closed_jobs()])

    evaluate = worker.DistributedItemProcessorWorker._eval_job

    def job(self, env, job) -> None:
        data = env.states.context_object.context_object_data
        parent = data["Execution"]
        name = str(uuid.uuid4())
        data["Execution"] = {**parent, "Id": f"{parent['Id']}/{self._work_name}:{name}", "Name": name}
        data["Execution"]["Input"] = job.job_input
        evaluate(self, env, job)

    def write_result(self, env) -> None:
        # Its paths are into the state's input; moto looks for them in the map's results.
        env.stack.append(env.states.get_input())
        self.parargs.eval(env)
        parameters = env.stack.pop()
        env.stack.pop()
        env.stack.append(parameters)
        try:
            self.resource_eval.eval_resource(env)
        except ClientError as error:
            raise _failed(env, "States.ResultWriterFailed", str(error)) from error

    read_items = ItemReader._eval_body

    def read(self, env) -> None:
        try:
            read_items(self, env)
        except (ClientError, ValueError) as error:
            raise _failed(env, "States.ItemReaderFailed", str(error)) from error

    ItemReader._eval_body = read

    ResultWriter._eval_body = write_result
    distributed.DistributedIterationComponent._map_run = map_run
    worker.DistributedItemProcessorWorker._eval_job = job


def _check_tolerance(env: Any, record: Any, items: int) -> None:
    failed = record.execution_counter.failed.get() + record.item_counter.timed_out.get()
    tolerated = max(record.tolerated_failure_count, items * record.tolerated_failure_percentage / 100)
    if failed <= tolerated:
        return
    cause = "The specified tolerated failure threshold was exceeded"
    raise _failed(env, "States.ExceedToleratedFailureThreshold", cause)


def _failed(env: Any, name: str, cause: str) -> FailureEventException:
    """An error of a map itself."""
    details = TaskFailedEventDetails(error=name, cause=cause, resource="map", resourceType="states")
    return FailureEventException(
        FailureEvent(
            env=env,
            error_name=CustomErrorName(name),
            event_type=HistoryEventType.TaskFailed,
            event_details=EventDetails(taskFailedEventDetails=details),
        )
    )


def _status_events() -> None:
    ended = executions.BaseExecutionWorkerCommunication.terminated
    start = executions.Execution.start

    def terminated(self) -> None:
        ended(self)
        _report(self.execution)

    def started(self) -> None:
        start(self)
        _report(self)

    executions.BaseExecutionWorkerCommunication.terminated = terminated
    executions.Execution.start = started
    # A Distributed Map's Catch sees what moto puts there; a stopped execution shows its error and cause.
    reflect = executions.BaseExecutionWorkerCommunication._reflect_execution_status

    def reflected(self) -> None:
        reflect(self)
        state = self.execution.exec_worker.env.program_state()
        self.execution.error = getattr(state, "error", None) if self.execution.error is None else self.execution.error
        self.execution.cause = getattr(state, "cause", None) if self.execution.cause is None else self.execution.cause

    executions.BaseExecutionWorkerCommunication._reflect_execution_status = reflected
    StepFunctionResponse.stop_execution = _stop_execution


def _stop_execution(self) -> ActionResult:
    """moto forgets why."""
    execution = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
    if execution.status == "RUNNING":
        stopped = datetime.datetime.now(tz=datetime.timezone.utc)
        execution.stop(stop_date=stopped, error=self._get_param("error"), cause=self._get_param("cause"))
    return ActionResult({"stopDate": execution.stop_date or datetime.datetime.now(tz=datetime.timezone.utc)})


def _report(execution: Any) -> None:
    """The event "Step Functions Execution Status Change"; input and output are left out above 248 KiB."""
    detail = {
        "executionArn": execution.exec_arn,
        "stateMachineArn": execution.state_machine.arn,
        "name": execution.name,
        "status": str(getattr(execution.exec_status, "value", execution.exec_status)),
        "startDate": int(execution.start_date.timestamp() * 1000),
        "stopDate": int(execution.stop_date.timestamp() * 1000) if execution.stop_date else None,
        "input": json.dumps(execution.input_data),
        "output": json.dumps(execution.output) if execution.output is not None else None,
        "inputDetails": {"included": True},
        "outputDetails": None,
        "error": execution.error if isinstance(execution.error, str) else None,
        "cause": execution.cause,
    }
    event_targets.publish(
        "aws.states",
        "Step Functions Execution Status Change",
        detail,
        [execution.exec_arn],
        execution.region_name,
    )
