"""Event source mappings: queues and table streams call functions, in batches, as Lambda's pollers do."""

import base64
import contextlib
import json
import threading
import time
from typing import Any

import functions
import settings
from botocore.exceptions import ClientError
from moto.awslambda import models
from moto.awslambda.models import LambdaBackend
from moto.awslambda.utils import get_backend
from moto.dynamodb.models import dynamodb_backends
from moto.events.models import EventPattern
from moto.sqs.models import sqs_backends

_poll_s = 0.1
# A poison record of a stream is given up after so many tries, unless the mapping says otherwise.
_stream_tries = 5
# Where each mapping of a stream stands: how many of the stream's records it has handled.
_handled: dict[str, int] = {}
_polled: set[str] = set()


def install() -> None:
    # moto would call functions inside the write that caused the event; pollers do it here.
    LambdaBackend.send_sqs_batch = lambda self, *_: False
    LambdaBackend.send_dynamodb_items = lambda self, *_: False
    _without_receiving()
    threading.Thread(target=_watch, daemon=True).start()


def _without_receiving() -> None:
    """Queues do not receive their own messages on arrival either: it would count against their redrive policy."""
    create = LambdaBackend.create_event_source_mapping

    def created(self, spec):
        mapping = create(self, spec)
        for queue in sqs_backends[self.account_id][self.region_name].queues.values():
            queue.lambda_event_source_mappings.clear()
        return mapping

    models.LambdaBackend.create_event_source_mapping = created


def _watch() -> None:
    """Starts a poller for each mapping that appears."""
    while True:
        with contextlib.suppress(RuntimeError):
            for backend in list(models.lambda_backends[settings.account].values()):
                for mapping in list(backend._event_source_mappings.values()):
                    if mapping.uuid not in _polled:
                        _polled.add(mapping.uuid)
                        threading.Thread(target=_poll, args=(mapping,), daemon=True).start()
        time.sleep(_poll_s)


def _poll(mapping: Any) -> None:
    service = mapping.event_source_arn.split(":")[2]
    once = {"sqs": _queue_batch, "dynamodb": _stream_batch}.get(service)
    if once is None:
        raise ValueError(f"the emulator does not know event sources of {service}")
    backend = get_backend(settings.account, mapping.region)
    while mapping.uuid in backend._event_source_mappings:
        worked = False
        if mapping.enabled:
            with contextlib.suppress(ClientError):
                worked = once(mapping)
        if not worked:
            time.sleep(_poll_s)


def _call(mapping: Any, records: list[dict[str, Any]]) -> tuple[bool, set[str]]:
    """Whether the function ended well, and the identifiers of records that it reports as failed."""
    function = functions.find(mapping.function_arn, mapping.region)
    answer = functions.invoke(function, json.dumps({"Records": records}, default=str))
    if answer.error is not None:
        return False, set()
    if "ReportBatchItemFailures" not in (mapping.function_response_types or []):
        return True, set()
    said = json.loads(answer.payload) or {}
    return True, {failure["itemIdentifier"] for failure in said.get("batchItemFailures", [])}


def _queue_batch(mapping: Any) -> bool:
    backend = sqs_backends[settings.account][mapping.region]
    name = mapping.event_source_arn.split(":")[-1]
    queue = backend.get_queue(name)
    messages = backend.receive_message(name, min(mapping.batch_size, 10), 0, queue.visibility_timeout)
    if not messages:
        return False
    records = [_queue_record(message, mapping) for message in messages]
    well, failed = _call(mapping, records)
    for message in messages:
        if well and message.id not in failed:
            backend.delete_message(name, message.receipt_handle)
        else:
            # It would come back after the visibility timeout; here without the minutes of waiting.
            backend.change_message_visibility(name, message.receipt_handle, visibility_timeout=0)
    return True


def _queue_record(message: Any, mapping: Any) -> dict[str, Any]:
    return {
        "messageId": message.id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": {
            "ApproximateReceiveCount": str(message.approximate_receive_count),
            "SentTimestamp": str(message.sent_timestamp),
            "SenderId": message.sender_id,
            "ApproximateFirstReceiveTimestamp": str(message.approximate_first_receive_timestamp),
        },
        "messageAttributes": {},
        "md5OfBody": message.body_md5,
        "eventSource": "aws:sqs",
        "eventSourceARN": mapping.event_source_arn,
        "awsRegion": mapping.region,
    }


def _stream_batch(mapping: Any) -> bool:
    table = dynamodb_backends[settings.account][mapping.region].get_table(
        mapping.event_source_arn.split("/")[1]
    )
    start = _handled.get(mapping.uuid, 0)
    time.sleep(min(float(mapping.max_batch_window or 0), settings.longest_wait_s))
    fresh = table.stream_shard.items[start : start + (mapping.batch_size or 100)]
    if not fresh:
        return False
    records = [_stream_record(item, mapping) for item in fresh]
    wanted = [record for record in records if _passes(record, mapping)]
    if wanted:
        _until_handled(mapping, wanted)
    _handled[mapping.uuid] = start + len(fresh)
    return True


def _until_handled(mapping: Any, records: list[dict[str, Any]]) -> None:
    """A stream goes on only when a batch is done, or has been tried as often as the mapping allows."""
    tries = mapping.max_retry_attempts
    for _ in range(_stream_tries if tries is None or tries < 0 else min(int(tries), _stream_tries) + 1):
        with contextlib.suppress(ClientError):
            well, failed = _call(mapping, records)
            if well and not failed:
                return
            if failed:
                # Everything from the first failed record on is given again.
                first = next(i for i, r in enumerate(records) if r["dynamodb"]["SequenceNumber"] in failed)
                records = records[first:]
        time.sleep(_poll_s)


def _stream_record(item: Any, mapping: Any) -> dict[str, Any]:
    record = item.to_json()
    created = record["dynamodb"]["ApproximateCreationDateTime"]
    when = created.timestamp() if hasattr(created, "timestamp") else created
    body = _plain({**record["dynamodb"], "ApproximateCreationDateTime": when})
    return {**record, "awsRegion": mapping.region, "eventSourceARN": mapping.event_source_arn, "dynamodb": body}


def _plain(value: Any) -> Any:
    """Binary attributes are base64 in a stream's event."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _passes(record: dict[str, Any], mapping: Any) -> bool:
    filters = (mapping.filter_criteria or {}).get("Filters", [])
    return not filters or any(EventPattern.load(f["Pattern"]).matches_event(record) for f in filters)
