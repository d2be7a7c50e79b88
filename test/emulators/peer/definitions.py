"""Refuses a state machine with a field that the interpreter would not act on.

The interpreter reads what it knows and says nothing of the rest; a machine that passes here uses nothing else.
"""

import json
from typing import Any

from moto.stepfunctions.exceptions import AWSError


class InvalidDefinition(AWSError):
    """moto's own of this name answers without its name."""

    TYPE = "InvalidDefinition"

    def __init__(self, message: str):
        super().__init__(message, self.TYPE, 400)


# SubmitJob's fields; set when the emulator starts, from the service's own model.
batch_parameters: set[str] = set()

_machine = {"Comment", "StartAt", "States", "TimeoutSeconds", "Version", "QueryLanguage"}
_every = {"Type", "Comment", "QueryLanguage"}
_paths = {"InputPath", "OutputPath"}
_moving = {"Next", "End"}
_failing = {"Retry", "Catch"}
_shaping = {"Parameters", "ResultSelector", "ResultPath"}
_states = {
    "Task": _every | _paths | _moving | _failing | _shaping
    | {"Resource", "TimeoutSeconds", "TimeoutSecondsPath", "HeartbeatSeconds"},
    "Map": _every | _paths | _moving | _failing | _shaping
    | {
        "ItemProcessor", "ItemReader", "ItemSelector", "ItemsPath", "ResultWriter", "MaxConcurrency",
        "MaxConcurrencyPath", "ToleratedFailureCount", "ToleratedFailurePercentage", "Label",
    },
    "Parallel": _every | _paths | _moving | _failing | _shaping | {"Branches"},
    "Pass": _every | _paths | _moving | {"Parameters", "Result", "ResultPath"},
    "Choice": _every | _paths | {"Choices", "Default"},
    "Wait": _every | _paths | _moving | {"Seconds", "Timestamp", "SecondsPath", "TimestampPath"},
    "Succeed": _every | _paths,
    "Fail": _every | {"Error", "ErrorPath", "Cause", "CausePath"},
}
_retrier = {
    "ErrorEquals", "IntervalSeconds", "MaxAttempts", "BackoffRate", "MaxDelaySeconds", "JitterStrategy", "Comment",
}
_catcher = {"ErrorEquals", "Next", "ResultPath", "Assign", "Comment"}
_reader = {"Resource", "Parameters", "ReaderConfig"}
_reader_config = {"InputType", "MaxItems", "MaxItemsPath", "CSVHeaderLocation", "CSVHeaders"}
_writer = {"Resource", "Parameters"}
_s3_object = {"Bucket", "Key"}
_s3_prefix = {"Bucket", "Prefix"}
_lambda = {"FunctionName", "Payload", "Qualifier", "ClientContext", "InvocationType", "LogType"}


def check(definition: str) -> None:
    """@raises InvalidDefinition naming the state and the field."""
    _machine_of(json.loads(definition), "the state machine", _machine)


def _machine_of(machine: dict[str, Any], where: str, known: set[str]) -> None:
    _only(machine, known, where)
    if machine.get("QueryLanguage", "JSONPath") != "JSONPath":
        raise InvalidDefinition(f"{where}: the emulator runs JSONPath only")
    for name, state in machine["States"].items():
        _state(name, state)
    _reachable(machine, where)


def _state(name: str, state: dict[str, Any]) -> None:
    where = f"state {name}"
    kind = state.get("Type", "")
    if kind not in _states:
        raise InvalidDefinition(f"{where}: unknown type {kind}")
    _only(state, _states[kind], where)
    for retrier in state.get("Retry", []):
        _only(retrier, _retrier, f"{where}, Retry")
    for catcher in state.get("Catch", []):
        _only(catcher, _catcher, f"{where}, Catch")
    if kind == "Task":
        _task(where, state)
    elif kind == "Map":
        _map(where, state)
    elif kind == "Parallel":
        for branch in state["Branches"]:
            _machine_of(branch, where, {"StartAt", "States", "Comment"})


def _task(where: str, state: dict[str, Any]) -> None:
    resource = state["Resource"]
    known = None
    if resource.endswith("states:::batch:submitJob.sync"):
        known = batch_parameters
    elif resource.endswith("states:::lambda:invoke"):
        known = _lambda
    if known is not None:
        _only(state.get("Parameters", {}), known, f"{where}, Parameters")


def _map(where: str, state: dict[str, Any]) -> None:
    processor = state["ItemProcessor"]
    config = processor.get("ProcessorConfig", {})
    _only(config, {"Mode", "ExecutionType"}, f"{where}, ProcessorConfig")
    if "ItemReader" in state:
        reader = state["ItemReader"]
        _only(reader, _reader, f"{where}, ItemReader")
        _only(reader.get("ReaderConfig", {}), _reader_config, f"{where}, ReaderConfig")
        _only(reader.get("Parameters", {}), _s3_object, f"{where}, ItemReader")
    if "ResultWriter" in state:
        _only(state["ResultWriter"], _writer, f"{where}, ResultWriter")
        _only(state["ResultWriter"].get("Parameters", {}), _s3_prefix, f"{where}, ResultWriter")
    _machine_of(processor, where, {"ProcessorConfig", "StartAt", "States", "Comment"})


def _only(value: dict[str, Any], known: set[str], where: str) -> None:
    unknown = {key for key in value if key not in known and key.removesuffix(".$") not in known}
    if unknown:
        raise InvalidDefinition(f"{where}: the emulator does not know {', '.join(sorted(unknown))}")


def _reachable(machine: dict[str, Any], where: str) -> None:
    """AWS refuses a state that nothing leads to, and a Next that leads nowhere."""
    states = machine["States"]
    targets = {machine["StartAt"]}
    for state in states.values():
        choices = state.get("Choices", [])
        targets |= {t for t in (state.get("Next"), state.get("Default")) if t}
        targets |= {item["Next"] for item in [*choices, *state.get("Catch", [])]}
    if targets != set(states):
        raise InvalidDefinition(f"{where}: unreachable or missing: {sorted(targets ^ set(states))}")
