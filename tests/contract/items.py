"""Spans, log records and batches made by hand, with every field settable."""

import itertools
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans

from storage.api import Batch
from storage.queries import TimeRange
from storage.schemas import LOGS, SPANS

SECOND = 10**9
NOW = 1_790_000_000 * SECOND
DAY = datetime.fromtimestamp(NOW // SECOND, UTC).date()
ALL_TIME = TimeRange(0, 2**64)

_numbers = itertools.count(1)

Row = dict[str, Any]
Attributes = Sequence[tuple[str, str | int | float | bool | bytes]]


def resource(service: str = "shop", schema_url: str = "", **attributes: str) -> bytes:
    """Return a serialised resource envelope."""
    envelope = ResourceSpans(schema_url=schema_url)
    for key, value in {"service.name": service, **attributes}.items():
        envelope.resource.attributes.append(KeyValue(key=key, value=AnyValue(string_value=value)))
    return envelope.SerializeToString()


def scope(name: str = "library", version: str = "1.0", **attributes: str) -> bytes:
    """Return a serialised scope envelope."""
    envelope = ScopeSpans()
    envelope.scope.name, envelope.scope.version = name, version
    for key, value in attributes.items():
        envelope.scope.attributes.append(KeyValue(key=key, value=AnyValue(string_value=value)))
    return envelope.SerializeToString()


def trace_id(number: int) -> bytes:
    """Return a trace id with leading zeros."""
    return number.to_bytes(16, "big")


def tags(attributes: Attributes) -> Row:
    """Return the `attributes` and `attribute_types` of plain values, as the receiver would keep them."""
    entries = [(key, *_text(value)) for key, value in attributes]
    return {
        "attributes": [(key, text) for key, text, _ in entries],
        "attribute_types": "".join(letter for _, _, letter in entries),
    }


def _text(value: str | int | float | bool | bytes) -> tuple[bytes, str]:
    match value:
        case bool():
            return (b"true" if value else b"false"), "b"
        case int():
            return str(value).encode(), "i"
        case float():
            return str(pa.scalar(value).cast(pa.string())).encode(), "d"
        case bytes():
            return value, "y"
        case _:
            return value.encode(), "s"


def event(name: str = "event", attributes: Attributes = (), /, **fields: Any) -> Row:
    """Return an event."""
    return {"time_unix_nano": NOW, "name": name, **tags(attributes), "dropped_attributes_count": 0} | fields


def link(attributes: Attributes = (), /, **fields: Any) -> Row:
    """Return a link."""
    row = {"trace_id": trace_id(1), "span_id": bytes(8), "trace_state": "", **tags(attributes)}
    return row | {"dropped_attributes_count": 0, "flags": 0} | fields


def span(attributes: Attributes = (), /, **fields: Any) -> Row:
    """Return a span of service `shop` with ids of its own."""
    number = next(_numbers)
    service = fields.get("service_name", "shop")
    row: Row = {
        "trace_id": trace_id(number),
        "span_id": number.to_bytes(8, "big"),
        "parent_span_id": b"",
        "trace_state": "",
        "flags": 0,
        "name": "operation",
        "kind": 1,
        "start_time_unix_nano": NOW,
        "duration_ns": 1_000_000,
        "status_code": 0,
        "status_message": "",
        **tags(attributes),
        "dropped_attributes_count": 0,
        "events": [],
        "dropped_events_count": 0,
        "links": [],
        "dropped_links_count": 0,
        "resource": resource(service),
        "scope": scope(),
        "service_name": service,
        "day": DAY,
    }
    return row | fields


def log(body: str = "hello", attributes: Attributes = (), /, **fields: Any) -> Row:
    """Return a log record of service `shop`."""
    service = fields.get("service_name", "shop")
    row: Row = {
        "event_time_unix_nano": NOW,
        "time_unix_nano": NOW,
        "observed_time_unix_nano": NOW,
        "trace_id": b"",
        "span_id": b"",
        "flags": 0,
        "severity_number": 9,
        "severity_text": "INFO",
        "event_name": "",
        "body": body.encode(),
        "body_type": "s",
        **tags(attributes),
        "dropped_attributes_count": 0,
        "resource": resource(service),
        "scope": scope(),
        "service_name": service,
        "day": DAY,
    }
    return row | fields


def batch(spans: Sequence[Mapping[str, Any]] = (), logs: Sequence[Mapping[str, Any]] = (), id: str = "") -> Batch:  # noqa: A002
    """Return a batch of rows, with an id of its own unless one is given."""
    return Batch(id or f"batch-{next(_numbers)}", spans_table(spans), logs_table(logs))


def spans_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return a SPANS table."""
    return pa.Table.from_pylist([dict(row) for row in rows], schema=SPANS)


def logs_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return a LOGS table."""
    return pa.Table.from_pylist([dict(row) for row in rows], schema=LOGS)


def numbered_batch(number: int, rows: int) -> Batch:
    """Return the same batch for the same number in any process: `rows` spans (a trace each) and logs over two days."""
    days = (DAY, date.fromordinal(DAY.toordinal() - 1))
    spans, logs = [], []
    for index in range(rows):
        identity = number * rows + index + 1
        at: Row = {"day": days[index % 2]}
        start = NOW - (index % 2) * 86_400 * SECOND + identity
        spans.append(
            span(
                [("n", identity)],
                trace_id=trace_id(identity),
                span_id=identity.to_bytes(8, "big"),
                start_time_unix_nano=start,
                service_name=f"service-{number % 3}",
                **at,
            )
        )
        logs.append(log(f"record {identity}", event_time_unix_nano=start, **at))
    return batch(spans, logs, id=f"numbered-{number}")


def canonical(table: pa.Table) -> list[str]:
    """Return the rows as texts in an order of their own: nothing dropped, nothing merged."""
    return sorted(repr(row) for row in table.to_pylist())
