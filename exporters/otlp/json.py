"""Stored rows as OTLP JSON, written as the Collector writes it.

Ids are lower-case hex, enums are numbers, 64-bit integers decimal strings, other bytes base64; zero fields are left
out, but `resource`, `scope` and `status` always stand; NaN and infinities are strings.
Source: opentelemetry-proto specification, "JSON Protobuf Encoding"; Jaeger's api_v3 snapshots.
"""

from collections.abc import Sequence
from typing import Any

import orjson
import pyarrow as pa
from opentelemetry.proto.common.v1.common_pb2 import EntityRef

from exporters.contexts import ResourceContext, ScopeContext, once_per_context
from exporters.otlp.grouping import grouped
from exporters.otlp.json_values import any_value_json, attributes_json
from exporters.rows import EventRow, LinkRow, LogRow, SpanRow, read_logs, read_spans
from storage.attributes import to_any_value


def traces_json(spans: pa.Table) -> bytes:
    """Return all rows of a spans table as `{"resourceSpans": […]}`."""
    return spans_json(read_spans(spans))


def logs_json(logs: pa.Table) -> bytes:
    """Return all rows of a logs table as `{"resourceLogs": […]}`."""
    return logs_rows_json(read_logs(logs))


def spans_json(rows: Sequence[SpanRow]) -> bytes:
    """Return rows as `{"resourceSpans": […]}`."""
    return orjson.dumps({"resourceSpans": resource_spans(rows)})


def resource_spans(rows: Sequence[SpanRow]) -> list[dict[str, Any]]:
    """Return rows as the objects that stand in `resourceSpans`, for orjson."""
    return [
        {
            "resource": _resource(resource),
            "scopeSpans": [
                {"scope": _scope(scope), "spans": [_text(_span(row)) for row in spans]} | _url(scope.schema_url)
                for scope, spans in scopes.items()
            ],
        }
        | _url(resource.schema_url)
        for resource, scopes in grouped(rows).items()
    ]


def logs_rows_json(rows: Sequence[LogRow]) -> bytes:
    """Return rows as `{"resourceLogs": […]}`."""
    groups = [
        {
            "resource": _resource(resource),
            "scopeLogs": [
                {"scope": _scope(scope), "logRecords": [_text(_log(row)) for row in records]} | _url(scope.schema_url)
                for scope, records in scopes.items()
            ],
        }
        | _url(resource.schema_url)
        for resource, scopes in grouped(rows).items()
    ]
    return orjson.dumps({"resourceLogs": groups})


def _set(fields: dict[str, Any]) -> dict[str, Any]:
    """Drop what has proto3's zero value."""
    return {name: value for name, value in fields.items() if value}


def _text(item: dict[str, Any]) -> orjson.Fragment:
    # At once: a large trace as objects would be tens of megabytes for the garbage collector.
    return orjson.Fragment(orjson.dumps(item))


def _time(unix_nano: int) -> str:
    return str(unix_nano) if unix_nano else ""


def _url(schema_url: str) -> dict[str, str]:
    return {"schemaUrl": schema_url} if schema_url else {}


def _span(row: SpanRow) -> dict[str, Any]:
    fields = {
        "traceId": row.trace_id.hex(),
        "spanId": row.span_id.hex(),
        "traceState": row.trace_state,
        "parentSpanId": row.parent_span_id.hex(),
        "flags": row.flags,
        "name": row.name,
        "kind": row.kind,
        "startTimeUnixNano": _time(row.start_time_unix_nano),
        "endTimeUnixNano": _time(row.end_time_unix_nano),
        "attributes": attributes_json(row.attributes),
        "droppedAttributesCount": row.dropped_attributes_count,
        "events": [_event(event) for event in row.events],
        "droppedEventsCount": row.dropped_events_count,
        "links": [_link(link) for link in row.links],
        "droppedLinksCount": row.dropped_links_count,
    }
    return _set(fields) | {"status": _set({"message": row.status_message, "code": row.status_code})}


def _event(event: EventRow) -> dict[str, Any]:
    return _set(
        {
            "timeUnixNano": _time(event.time_unix_nano),
            "name": event.name,
            "attributes": attributes_json(event.attributes),
            "droppedAttributesCount": event.dropped_attributes_count,
        }
    )


def _link(link: LinkRow) -> dict[str, Any]:
    return _set(
        {
            "traceId": link.trace_id.hex(),
            "spanId": link.span_id.hex(),
            "traceState": link.trace_state,
            "attributes": attributes_json(link.attributes),
            "droppedAttributesCount": link.dropped_attributes_count,
            "flags": link.flags,
        }
    )


def _log(row: LogRow) -> dict[str, Any]:
    fields = {
        "timeUnixNano": _time(row.time_unix_nano),
        "observedTimeUnixNano": _time(row.observed_time_unix_nano),
        "severityNumber": row.severity_number,
        "severityText": row.severity_text,
        "attributes": attributes_json(row.attributes),
        "droppedAttributesCount": row.dropped_attributes_count,
        "flags": row.flags,
        "traceId": row.trace_id.hex(),
        "spanId": row.span_id.hex(),
        "eventName": row.event_name,
    }
    body = {"body": any_value_json(to_any_value(row.body_type, row.body))} if row.body_type else {}
    return _set(fields) | body


@once_per_context
def _resource(context: ResourceContext) -> orjson.Fragment:
    message = context.message
    fields = {
        "attributes": attributes_json(context.attributes),
        "droppedAttributesCount": message.dropped_attributes_count if message else 0,
        "entityRefs": [_entity(entity) for entity in message.entity_refs] if message else [],
    }
    return orjson.Fragment(orjson.dumps(_set(fields)))


def _entity(entity: EntityRef) -> dict[str, Any]:
    return _set(
        {
            "schemaUrl": entity.schema_url,
            "type": entity.type,
            "idKeys": list(entity.id_keys),
            "descriptionKeys": list(entity.description_keys),
        }
    )


@once_per_context
def _scope(context: ScopeContext) -> orjson.Fragment:
    fields = {
        "name": context.name,
        "version": context.version,
        "attributes": attributes_json(context.attributes),
        "droppedAttributesCount": context.message.dropped_attributes_count if context.message else 0,
    }
    return orjson.Fragment(orjson.dumps(_set(fields)))
