"""The Arrow schemas that cross the storage port, in both directions.

What a receiver decoded goes to an engine in these shapes and comes back in the same shapes, so that a table read
equals the table written (row order aside). Column names are OpenTelemetry's own.

Attributes keep order, duplicates and types: `attributes` is a map of key to the value's *text*, and
`attribute_types` holds one ASCII letter for each entry, in the same order (see `storage.attributes`).

`resource` and `scope` are serialised OTLP messages: a `ResourceSpans` (same wire form: `ResourceLogs`) that holds only
`resource` and `schema_url`, and a `ScopeSpans` (`ScopeLogs`) that holds only `scope` and `schema_url`. They are
dictionary-encoded: a batch has few distinct ones. `service_name` is derived from `resource`.
"""

import pyarrow as pa

TEXT = pa.string()
LOW_CARDINALITY_TEXT = pa.dictionary(pa.int32(), pa.string())
LOW_CARDINALITY_BYTES = pa.dictionary(pa.int32(), pa.binary())
ATTRIBUTES = pa.map_(pa.string(), pa.binary())

EVENT = pa.struct(
    [
        pa.field("time_unix_nano", pa.uint64()),
        pa.field("name", TEXT),
        pa.field("attributes", ATTRIBUTES),
        pa.field("attribute_types", TEXT),
        pa.field("dropped_attributes_count", pa.uint32()),
    ]
)

LINK = pa.struct(
    [
        pa.field("trace_id", pa.binary()),
        pa.field("span_id", pa.binary()),
        pa.field("trace_state", TEXT),
        pa.field("attributes", ATTRIBUTES),
        pa.field("attribute_types", TEXT),
        pa.field("dropped_attributes_count", pa.uint32()),
        pa.field("flags", pa.uint32()),
    ]
)

# `duration_ns` is end minus start modulo 2**64, read as a signed integer: the end time is always recoverable as
# (start + duration) modulo 2**64; a negative value means the end precedes the start and counts as zero in searches.
# `day` is the UTC day that decides partition and retention: the day of the start (log: event) time when that is
# plausible at the time of receipt, otherwise the day of receipt.
SPANS = pa.schema(
    [
        pa.field("trace_id", pa.binary(16)),
        pa.field("span_id", pa.binary(8)),
        pa.field("parent_span_id", pa.binary()),  # as sent: empty for a root, normally 8 bytes
        pa.field("trace_state", TEXT),
        pa.field("flags", pa.uint32()),
        pa.field("name", LOW_CARDINALITY_TEXT),
        pa.field("kind", pa.int32()),
        pa.field("start_time_unix_nano", pa.uint64()),
        pa.field("duration_ns", pa.int64()),
        pa.field("status_code", pa.int32()),
        pa.field("status_message", TEXT),
        pa.field("attributes", ATTRIBUTES),
        pa.field("attribute_types", LOW_CARDINALITY_TEXT),
        pa.field("dropped_attributes_count", pa.uint32()),
        pa.field("events", pa.list_(EVENT)),
        pa.field("dropped_events_count", pa.uint32()),
        pa.field("links", pa.list_(LINK)),
        pa.field("dropped_links_count", pa.uint32()),
        pa.field("resource", LOW_CARDINALITY_BYTES),
        pa.field("scope", LOW_CARDINALITY_BYTES),
        pa.field("service_name", LOW_CARDINALITY_TEXT),
        pa.field("day", pa.date32()),
    ]
)

# `event_time_unix_nano` is `time_unix_nano`, else `observed_time_unix_nano`, else the time of receipt; it orders and
# partitions, the other two are kept as sent. `body_type` is a type letter, or empty when the record has no body.
LOGS = pa.schema(
    [
        pa.field("event_time_unix_nano", pa.uint64()),
        pa.field("time_unix_nano", pa.uint64()),
        pa.field("observed_time_unix_nano", pa.uint64()),
        pa.field("trace_id", pa.binary()),  # 16 bytes, or empty
        pa.field("span_id", pa.binary()),  # 8 bytes, or empty
        pa.field("flags", pa.uint32()),
        pa.field("severity_number", pa.int32()),
        pa.field("severity_text", LOW_CARDINALITY_TEXT),
        pa.field("event_name", LOW_CARDINALITY_TEXT),
        pa.field("body", pa.binary()),
        pa.field("body_type", LOW_CARDINALITY_TEXT),
        pa.field("attributes", ATTRIBUTES),
        pa.field("attribute_types", LOW_CARDINALITY_TEXT),
        pa.field("dropped_attributes_count", pa.uint32()),
        pa.field("resource", LOW_CARDINALITY_BYTES),
        pa.field("scope", LOW_CARDINALITY_BYTES),
        pa.field("service_name", LOW_CARDINALITY_TEXT),
        pa.field("day", pa.date32()),
    ]
)

# One row per agentic span: the conventions' many keys normalised once at ingest, as the span itself says them (a model
# call's tokens may stand on several nested spans here; AGENT_RUNS counts each once). Null means that it does not say.
# `batch_time_unix_nano` grows with every stored batch: what a restart has to look at again.
AGENT_SPANS = pa.schema(
    [
        pa.field("trace_id", pa.binary(16)),
        pa.field("span_id", pa.binary(8)),
        pa.field("parent_span_id", pa.binary()),
        pa.field("start_time_unix_nano", pa.uint64()),
        pa.field("duration_ns", pa.int64()),
        pa.field("status_code", pa.int32()),
        pa.field("service_name", TEXT),
        pa.field("agent_name", TEXT),
        pa.field("agent_id", TEXT),
        pa.field("conversation_id", TEXT),
        pa.field("user_id", TEXT),
        pa.field("operation", TEXT),
        pa.field("model", TEXT),
        pa.field("provider", TEXT),
        pa.field("tool_name", TEXT),
        pa.field("input_tokens", pa.int64()),
        pa.field("output_tokens", pa.int64()),
        pa.field("cached_input_tokens", pa.int64()),
        pa.field("reasoning_tokens", pa.int64()),
        pa.field("cost_usd", pa.float64()),
        pa.field("linked_trace_ids", pa.list_(pa.binary())),  # other traces that the span links to
        pa.field("batch_time_unix_nano", pa.uint64()),
        pa.field("day", pa.date32()),
    ]
)

# The log records that may tell of a transfer, once more and whole: rules read them without touching all the others.
AGENT_LOGS = LOGS.append(pa.field("batch_time_unix_nano", pa.uint64()))

# One row per run of an agent: from its activation to its end, with what its own model calls spent, each counted once.
# Calls outside any agent belong to a run without a name. `group_key`: see TRANSFERS.
AGENT_RUNS = pa.schema(
    [
        pa.field("id", TEXT),
        pa.field("group_key", TEXT),
        pa.field("trace_id", pa.binary(16)),
        pa.field("span_id", pa.binary(8)),
        pa.field("service_name", TEXT),
        pa.field("agent_name", TEXT),
        pa.field("agent_id", TEXT),
        pa.field("conversation_id", TEXT),
        pa.field("user_id", TEXT),
        pa.field("model", TEXT),  # of the run's first model call
        pa.field("provider", TEXT),
        pa.field("start_time_unix_nano", pa.uint64()),
        pa.field("duration_ns", pa.int64()),
        pa.field("error", pa.bool_()),
        pa.field("model_calls", pa.uint32()),
        pa.field("tool_calls", pa.uint32()),
        pa.field("input_tokens", pa.int64()),
        pa.field("output_tokens", pa.int64()),
        pa.field("cached_input_tokens", pa.int64()),
        pa.field("reasoning_tokens", pa.int64()),
        pa.field("cost_usd", pa.float64()),
        pa.field("day", pa.date32()),
    ]
)

# One row per agent transfer, as `GET /api/v1/transfers` answers it. `group_key` names what the row was computed from
# and is replaced with: the trace (32 hex digits), or `logs:<service>:<minute>` for log records outside any trace.
TRANSFERS = pa.schema(
    [
        pa.field("id", TEXT),
        pa.field("project", TEXT),
        pa.field("group_key", TEXT),
        pa.field("trace_id", pa.binary()),  # 16 bytes, or empty for a log record without one
        pa.field("conversation_id", TEXT),
        pa.field("from_agent", TEXT),
        pa.field("to_agent", TEXT),
        pa.field("from_agent_id", TEXT),
        pa.field("to_agent_id", TEXT),
        pa.field("kind", TEXT),
        pa.field("completed", pa.bool_()),
        pa.field("waits", pa.bool_()),
        pa.field("time_unix_nano", pa.uint64()),
        pa.field("trigger_span_id", pa.binary()),
        pa.field("target_span_id", pa.binary()),
        pa.field("target_trace_id", pa.binary()),
        pa.field("reason", TEXT),
        pa.field("signal", TEXT),
        pa.field("rule", TEXT),
        pa.field("confidence", pa.float64()),
        pa.field("day", pa.date32()),
    ]
)
