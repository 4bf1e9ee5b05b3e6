"""Which columns hold an item's own fields: SQL that every engine reads alike."""

from storage.equality import parse_id
from storage.queries import FieldCondition, Signal, SpanField

# A negative duration (the end precedes the start) counts as zero, see `storage.schemas`.
DURATION = "greatest(duration_ns, 0)"

NUMBERS = {
    Signal.TRACES: {SpanField.KIND: "kind", SpanField.STATUS: "status_code", SpanField.DURATION: DURATION},
    Signal.LOGS: {SpanField.SEVERITY: "severity_number"},
}
SCOPE_TEXTS = {SpanField.SCOPE_NAME: "name", SpanField.SCOPE_VERSION: "version"}
TEXTS = {
    Signal.TRACES: {
        SpanField.NAME: "name",
        SpanField.SERVICE: "service_name",
        SpanField.STATUS_MESSAGE: "status_message",
        SpanField.TRACE_STATE: "trace_state",
    },
    Signal.LOGS: {
        SpanField.SERVICE: "service_name",
        SpanField.SEVERITY_TEXT: "severity_text",
        SpanField.BODY: "body",
        SpanField.EVENT_NAME: "event_name",
    },
}
IDS = {
    Signal.TRACES: {
        SpanField.TRACE_ID: "trace_id",
        SpanField.SPAN_ID: "span_id",
        SpanField.PARENT_SPAN_ID: "parent_span_id",
    },
    Signal.LOGS: {SpanField.TRACE_ID: "trace_id", SpanField.SPAN_ID: "span_id"},
}
# As a parent's id, the same as none.
NO_PARENT = bytes(8)
# Numbers that EXISTS is true of even when they are zero.
ZERO_IS_A_VALUE = frozenset({SpanField.DURATION, SpanField.EVENT_TIME_SINCE_START})
# Spans always have these, at these lengths.
_LENGTHS = {SpanField.TRACE_ID: 16, SpanField.SPAN_ID: 8}


def wanted_id(condition: FieldCondition, signal: Signal) -> bytes | None:
    """Return the id that a condition asks for, or None when no item can have it."""
    raw = parse_id(condition.value)
    length = _LENGTHS.get(condition.field) if signal is Signal.TRACES else None
    return raw if raw is None or length is None or len(raw) == length else None
