"""Stored rows as OTLP messages: the inverse of what a receiver took apart.

Items that share a resource and scope stand together, in order of first appearance; within a scope the order is kept.
"""

from collections.abc import Iterator, Sequence

import pyarrow as pa
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status, TracesData

from exporters.contexts import key_values
from exporters.otlp.grouping import grouped
from exporters.rows import LogRow, SpanRow, read_logs, read_spans
from storage.attributes import to_any_value


def traces_data(spans: pa.Table) -> TracesData:
    """Return all rows of a spans table in one message."""
    return spans_message(read_spans(spans))


def logs_data(logs: pa.Table) -> LogsData:
    """Return all rows of a logs table in one message."""
    return logs_message(read_logs(logs))


def spans_chunks(rows: Sequence[SpanRow], max_bytes: int) -> Iterator[TracesData]:
    """Yield the rows in messages of `max_bytes` or less, halving until they fit; order is kept.

    A single span over the limit is yielded alone, over the limit.
    """
    message = spans_message(rows)
    if len(rows) <= 1 or message.ByteSize() <= max_bytes:
        yield message
        return
    middle = len(rows) // 2
    yield from spans_chunks(rows[:middle], max_bytes)
    yield from spans_chunks(rows[middle:], max_bytes)


def spans_message(rows: Sequence[SpanRow]) -> TracesData:
    """Return rows in one message."""
    data = TracesData()
    for resource, scopes in grouped(rows).items():
        resource_spans = data.resource_spans.add(resource=resource.message, schema_url=resource.schema_url)
        for scope, spans in scopes.items():
            scope_spans = resource_spans.scope_spans.add(scope=scope.message, schema_url=scope.schema_url)
            scope_spans.spans.extend(map(span_message, spans))
    return data


def logs_message(rows: Sequence[LogRow]) -> LogsData:
    """Return rows in one message."""
    data = LogsData()
    for resource, scopes in grouped(rows).items():
        resource_logs = data.resource_logs.add(resource=resource.message, schema_url=resource.schema_url)
        for scope, records in scopes.items():
            scope_logs = resource_logs.scope_logs.add(scope=scope.message, schema_url=scope.schema_url)
            scope_logs.log_records.extend(map(log_message, records))
    return data


def span_message(row: SpanRow) -> Span:
    """Return one span. A status that says nothing (UNSET, no message) is left out."""
    return Span(
        trace_id=row.trace_id,
        span_id=row.span_id,
        trace_state=row.trace_state,
        parent_span_id=row.parent_span_id,
        flags=row.flags,
        name=row.name,
        kind=row.kind,  # type: ignore[arg-type]  # unknown numbers are kept
        start_time_unix_nano=row.start_time_unix_nano,
        end_time_unix_nano=row.end_time_unix_nano,
        attributes=key_values(row.attributes),
        dropped_attributes_count=row.dropped_attributes_count,
        events=[
            Span.Event(
                time_unix_nano=event.time_unix_nano,
                name=event.name,
                attributes=key_values(event.attributes),
                dropped_attributes_count=event.dropped_attributes_count,
            )
            for event in row.events
        ],
        dropped_events_count=row.dropped_events_count,
        links=[
            Span.Link(
                trace_id=link.trace_id,
                span_id=link.span_id,
                trace_state=link.trace_state,
                attributes=key_values(link.attributes),
                dropped_attributes_count=link.dropped_attributes_count,
                flags=link.flags,
            )
            for link in row.links
        ],
        dropped_links_count=row.dropped_links_count,
        status=_status(row),
    )


def _status(row: SpanRow) -> Status | None:
    if not row.status_code and not row.status_message:
        return None
    return Status(code=row.status_code, message=row.status_message)  # type: ignore[arg-type]


def log_message(row: LogRow) -> LogRecord:
    """Return one log record."""
    return LogRecord(
        time_unix_nano=row.time_unix_nano,
        observed_time_unix_nano=row.observed_time_unix_nano,
        severity_number=row.severity_number,  # type: ignore[arg-type]
        severity_text=row.severity_text,
        body=to_any_value(row.body_type, row.body) if row.body_type else None,
        attributes=key_values(row.attributes),
        dropped_attributes_count=row.dropped_attributes_count,
        flags=row.flags,
        trace_id=row.trace_id,
        span_id=row.span_id,
        event_name=row.event_name,
    )
