"""Rows of spans for tests of what Jaeger does to them."""

from typing import Any

from exporters.columns import Attribute
from exporters.contexts import resource_context, scope_context
from exporters.rows import LinkRow, SpanRow

TRACE = b"T" * 16


def span(number: int, parent: int = 0, start: int = 1_000, duration: int = 100, **fields: Any) -> SpanRow:
    """Return a span; times in nanoseconds, the rest as a sender would leave it out."""
    row = SpanRow(
        trace_id=TRACE,
        span_id=number.to_bytes(8, "big"),
        parent_span_id=parent.to_bytes(8, "big") if parent else b"",
        trace_state="",
        flags=0,
        name=f"span {number}",
        kind=0,
        start_time_unix_nano=start,
        duration_ns=duration,
        status_code=0,
        status_message="",
        attributes=[],
        dropped_attributes_count=0,
        events=[],
        dropped_events_count=0,
        links=[],
        dropped_links_count=0,
        resource=resource_context(b""),
        scope=scope_context(b""),
        service_name="missing-service-name",
    )
    for name, value in fields.items():
        setattr(row, name, value)
    return row


def link(trace_id: bytes, span_id: bytes, *attributes: Attribute) -> LinkRow:
    return LinkRow(trace_id, span_id, "", attributes, 0, 0)


def text(key: str, value: str) -> Attribute:
    return key, "s", value
