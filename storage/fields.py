"""Which columns hold an item's own fields: SQL that every engine reads alike."""

from storage.queries import Signal, SpanField

# A negative duration (the end precedes the start) counts as zero, see `storage.schemas`.
DURATION = "greatest(duration_ns, 0)"

NUMBERS = {
    Signal.TRACES: {SpanField.KIND: "kind", SpanField.STATUS: "status_code", SpanField.DURATION: DURATION},
    Signal.LOGS: {SpanField.SEVERITY: "severity_number"},
}
SCOPE_TEXTS = {SpanField.SCOPE_NAME: "name", SpanField.SCOPE_VERSION: "version"}


def texts(parent_span_id: str) -> dict[Signal, dict[SpanField, str]]:
    """Return the texts; `parent_span_id` is the engine's SQL for that column in lower-case hex."""
    return {
        Signal.TRACES: {
            SpanField.NAME: "name",
            SpanField.SERVICE: "service_name",
            SpanField.STATUS_MESSAGE: "status_message",
            SpanField.TRACE_STATE: "trace_state",
            SpanField.PARENT_SPAN_ID: parent_span_id,
        },
        Signal.LOGS: {
            SpanField.SERVICE: "service_name",
            SpanField.SEVERITY_TEXT: "severity_text",
            SpanField.BODY: "body",
            SpanField.EVENT_NAME: "event_name",
        },
    }
