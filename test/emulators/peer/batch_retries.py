"""When AWS Batch runs a failed attempt again (RetryStrategy and EvaluateOnExit of its API reference)."""

from typing import Any


def is_retried(strategy: dict[str, Any], attempts: int, ended: dict[str, Any]) -> bool:
    """`ended`: statusReason, reason and exitCode of the attempt, each absent when Batch reports none.

    Rules are tried in order; the first whose every condition holds decides; when none does, the job is retried.
    """
    if attempts >= int(strategy.get("attempts", 1)):
        return False
    for rule in strategy.get("evaluateOnExit", []):
        if _holds(rule, ended):
            return str(rule["action"]).upper() == "RETRY"
    return True


def _holds(rule: dict[str, Any], ended: dict[str, Any]) -> bool:
    conditions = {"onStatusReason": "statusReason", "onReason": "reason", "onExitCode": "exitCode"}
    unknown = set(rule) - set(conditions) - {"action"}
    if unknown:
        raise ValueError(f"evaluateOnExit: unknown {sorted(unknown)}")
    return all(
        _matches(str(rule[name]), ended.get(field)) for name, field in conditions.items() if rule.get(name) is not None
    )


def _matches(pattern: str, value: Any) -> bool:
    """Batch knows one wildcard, at the end."""
    if value is None:
        return False
    text = str(value)
    return text.startswith(pattern[:-1]) if pattern.endswith("*") else text == pattern
