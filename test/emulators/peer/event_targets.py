"""EventBridge: rules also reach functions and state machines, and schedules fire when a test says so."""

import copy
import json
import re
import time
import uuid
from typing import Any

import functions
import settings
from moto.events import models
from moto.scheduler.models import scheduler_backends
from moto.stepfunctions.parser.models import stepfunctions_parser_backends


def install() -> None:
    original = models.Rule.send_to_targets

    def send(self, original_event, transform_input=True) -> None:
        mine = [t for t in self.targets if t["Arn"].split(":")[2] in ("lambda", "states")]
        if self.state == "ENABLED" and self.event_pattern.matches_event(original_event):
            for target in mine:
                _deliver(target, _input_of(target, original_event))
        rest = copy.copy(self)
        rest.targets = [t for t in self.targets if t not in mine and t["Arn"].split(":")[2] != "sns"]
        original(rest, original_event, transform_input)

    models.Rule.send_to_targets = send


def publish(source: str, kind: str, detail: dict[str, Any], resources: list[str], region: str) -> None:
    """An event of a service, on the default bus."""
    event = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": kind,
        "source": source,
        "account": settings.account,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "region": region,
        "resources": resources,
        "detail": detail,
    }
    for rule in list(models.events_backends[settings.account][region].event_buses["default"].rules.values()):
        rule.send_to_targets(event)


def fire_schedule(group: str, name: str, region: str, changes: dict[str, Any] | None = None) -> None:
    """One firing of a schedule of EventBridge Scheduler, whatever its time, also of one that is switched off.

    `changes` are merged into its input, one level deep: a test's API has another address than the deployed one.
    """
    schedule = scheduler_backends[settings.account][region].get_schedule(group, name)
    attributes = {
        "<aws.scheduler.schedule-arn>": schedule.arn,
        "<aws.scheduler.scheduled-time>": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "<aws.scheduler.execution-id>": str(uuid.uuid4()),
        "<aws.scheduler.attempt-number>": "1",
    }
    given = json.loads(schedule.target.get("Input", "{}"))
    for key, more in (changes or {}).items():
        given[key] = {**given.get(key, {}), **more} if isinstance(more, dict) else more
    text = json.dumps(given)
    for attribute, value in attributes.items():
        text = text.replace(attribute, value)
    _deliver(schedule.target, text)


def _deliver(target: dict[str, Any], text: str) -> None:
    parts = target["Arn"].split(":")
    service, region = parts[2], parts[3]
    if service == "lambda":
        functions.invoke_later(functions.find(target["Arn"], region), text)
    elif service == "states":
        backend = stepfunctions_parser_backends[settings.account][region]
        backend.start_execution(target["Arn"], name=str(uuid.uuid4()), execution_input=text)
    else:
        raise ValueError(f"the emulator does not know how to reach {target['Arn']}")


def _input_of(target: dict[str, Any], event: dict[str, Any]) -> str:
    if "Input" in target:
        return target["Input"]
    if transformer := target.get("InputTransformer"):
        paths = transformer.get("InputPathsMap", {})
        values = {name: _at(path, event) for name, path in paths.items()}
        return _filled(transformer["InputTemplate"], values)
    if "InputPath" in target:
        return json.dumps(_at(target["InputPath"], event))
    return json.dumps(event)


def _at(path: str, event: dict[str, Any]) -> Any:
    value: Any = event
    for name in path.removeprefix("$").split("."):
        if name:
            value = value[name]
    return value


_in_quotes = re.compile(r'"(?:[^"\\]|\\.)*"')
_variable = re.compile(r"<([A-Za-z0-9_-]+)>")


def _filled(template: str, values: dict[str, Any]) -> str:
    """Inside quotes a variable is its text, outside of them its JSON (EventBridge, "Input transformation")."""

    def inside(quoted: re.Match[str]) -> str:
        return _variable.sub(lambda found: json.dumps(str(values[found[1]]))[1:-1], quoted[0])

    parts: list[str] = []
    end = 0
    for quoted in _in_quotes.finditer(template):
        parts += [_variable.sub(lambda found: json.dumps(values[found[1]]), template[end : quoted.start()])]
        parts += [inside(quoted)]
        end = quoted.end()
    parts += [_variable.sub(lambda found: json.dumps(values[found[1]]), template[end:])]
    return "".join(parts)
