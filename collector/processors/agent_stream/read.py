"""Stored rows as the values that the transfer rules read."""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from collector.processors.agent_transfers.model import Event, Link, LogRecord, Span, Value
from exporters import rows
from exporters.columns import Attribute
from storage.attributes import EMPTY, STRING, decode


def read_spans(table: pa.Table) -> list[Span]:
    """Return the rows of a SPANS table."""
    return [_span(row) for row in rows.read_spans(table)]


def read_logs(table: pa.Table) -> list[LogRecord]:
    """Return the rows of a LOGS or AGENT_LOGS table."""
    return [_log(row) for row in rows.read_logs(table)]


def _span(row: rows.SpanRow) -> Span:
    return Span(
        trace_id=row.trace_id,
        span_id=row.span_id,
        parent_span_id=row.parent_span_id,
        name=row.name,
        kind=row.kind,
        start_time_unix_nano=row.start_time_unix_nano,
        end_time_unix_nano=row.end_time_unix_nano,
        status_code=row.status_code,
        status_message=row.status_message,
        attributes=_mapping(row.attributes),
        events=tuple(Event(event.name, event.time_unix_nano, _mapping(event.attributes)) for event in row.events),
        links=tuple(Link(link.trace_id, link.span_id, _mapping(link.attributes)) for link in row.links),
        service_name=row.service_name,
        scope_name=row.scope.name,
        resource_attributes=_mapping(row.resource.attributes),
    )


def _log(row: rows.LogRow) -> LogRecord:
    return LogRecord(
        trace_id=row.trace_id,
        span_id=row.span_id,
        time_unix_nano=row.event_time_unix_nano,
        severity_number=row.severity_number,
        body=decode(row.body_type or EMPTY, row.body),
        attributes=_mapping(row.attributes),
        service_name=row.service_name,
        scope_name=row.scope.name,
        event_name=row.event_name,
    )


def _mapping(attributes: Sequence[Attribute]) -> Mapping[str, Value]:
    return {key: _value(letter, text) for key, letter, text in attributes}


def _value(letter: str, text: str | bytes) -> Value:
    if letter == STRING and isinstance(text, str):
        return text
    return decode(letter, text.encode() if isinstance(text, str) else text)
