"""What storage is asked and what it answers, as plain values.

Times are integer nanoseconds since the epoch, ranges are half-open [start, end), ids are raw bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa


class Signal(StrEnum):
    """The two signals that are stored."""

    TRACES = "traces"
    LOGS = "logs"


class Level(StrEnum):
    """Where an attribute condition looks."""

    ANY = "any"  # span (or log record), scope, resource, then the span's events and links: Jaeger's rule
    ITEM = "item"  # the span's or log record's own attributes
    RESOURCE = "resource"
    SCOPE = "scope"
    EVENT = "event"  # spans only
    LINK = "link"  # spans only


class Op(StrEnum):
    """Comparison of an attribute with a value.

    EQ, NE, CONTAINS and REGEX compare texts (`storage.attributes`), so 123 equals "123"; EQ and NE also compare as
    numbers when both sides are numbers (1 equals 1.0). LT … GE compare as numbers and are false for anything else.
    NE is true only for spans that carry the key. REGEX is RE2, unanchored; `.` matches line ends, too.
    """

    EQ = "="
    NE = "!="
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="
    CONTAINS = "contains"
    REGEX = "regex"
    EXISTS = "exists"


@dataclass(frozen=True, slots=True)
class Condition:
    """One attribute condition. `value` is the text to compare with; ignored by EXISTS."""

    key: str
    op: Op
    value: str = ""
    level: Level = Level.ANY


class SpanField(StrEnum):
    """Fields of the span itself (not attributes) that a filter may compare, for TraceQL and Jaeger's filter."""

    NAME = "name"
    SERVICE = "service_name"
    KIND = "kind"  # value: the OTLP number as text
    STATUS = "status_code"  # value: the OTLP number as text
    STATUS_MESSAGE = "status_message"
    DURATION = "duration_ns"
    SCOPE_NAME = "scope_name"
    SCOPE_VERSION = "scope_version"
    TRACE_STATE = "trace_state"
    TRACE_ID = "trace_id"  # ids: see FieldCondition
    SPAN_ID = "span_id"
    PARENT_SPAN_ID = "parent_span_id"  # EXISTS means not a root: an id of zeros names no parent
    EVENT_NAME = "event_name"  # of one of the span's events
    EVENT_TIME_SINCE_START = "event_time_since_start"  # of an event: its time minus the span's start, in nanoseconds
    LINK_TRACE_ID = "link_trace_id"  # of one of the span's links
    LINK_SPAN_ID = "link_span_id"
    SEVERITY = "severity_number"  # log records only
    SEVERITY_TEXT = "severity_text"  # log records only
    BODY = "body"  # log records only


@dataclass(frozen=True, slots=True)
class FieldCondition:
    """One condition on a field of the item itself; on one of events or links, when one of them satisfies it.

    Ids are compared as bytes: `value` is hex in any case, and text that is none, or of another length, equals no id.
    CONTAINS and REGEX see an id as lower-case hex; ids have no order.
    """

    field: SpanField
    op: Op
    value: str = ""


@dataclass(frozen=True, slots=True)
class AllOf:
    """True when every part is (AND); true when empty."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """True when one part is (OR); false when empty."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True when the part is not."""

    part: "Filter"


Filter = Condition | FieldCondition | AllOf | AnyOf | Not


@dataclass(frozen=True, slots=True)
class TimeRange:
    """Half-open [start, end) in nanoseconds since the epoch."""

    start: int
    end: int

    def clamped(self) -> "TimeRange":
        """Return the part that 64 unsigned bits can name."""
        return TimeRange(max(self.start, 0), min(self.end, 2**64))


@dataclass(frozen=True, slots=True)
class TraceCursor:
    """Where a page of traces ended: continue with traces older than this match, or equally old with a lower id."""

    newest_match_unix_nano: int
    trace_id: bytes


@dataclass(frozen=True, slots=True)
class TraceQuery:
    """Traces in which ONE span satisfies everything below; None means "any".

    A trace's place in the order is the start time of its newest matching span; newest first.
    """

    time: TimeRange  # of the matching span's start
    service_name: str | None = None
    span_name: str | None = None
    kind: int | None = None
    status_code: int | None = None
    filter: Filter | None = None
    duration_min_ns: int | None = None  # inclusive
    duration_max_ns: int | None = None  # inclusive
    limit: int = 20
    after: TraceCursor | None = None


@dataclass(frozen=True, slots=True)
class TraceMatch:
    """A found trace and the start time of its newest matching span."""

    trace_id: bytes
    newest_match_unix_nano: int


@dataclass(frozen=True, slots=True)
class LogCursor:
    """Where a page of log records ended: `skip` records with exactly this time were already given."""

    event_time_unix_nano: int
    skip: int


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Log records that satisfy everything below; newest first unless `oldest_first`."""

    time: TimeRange  # of event_time_unix_nano
    trace_id: bytes | None = None
    trace_ids: Sequence[bytes] | None = None  # one of these
    span_id: bytes | None = None
    service_name: str | None = None
    severity_min: int | None = None
    text: str | None = None  # case-insensitive substring of the body's text
    filter: Filter | None = None
    limit: int = 100
    after: LogCursor | None = None
    oldest_first: bool = False


@dataclass(frozen=True, slots=True)
class LogPage:
    """Log records in the order asked for (LOGS schema), and where to go on, or None at the end."""

    records: pa.Table
    next: LogCursor | None


@dataclass(frozen=True, slots=True)
class LogStream:
    """What sends log records: a service's name, and one of its resources as LOGS has it."""

    service_name: str
    resource: bytes


MAX_LOG_STREAMS = 10_000


@dataclass(frozen=True, slots=True)
class Operation:
    """A span name of a service, with the kind it was seen with."""

    service_name: str
    name: str
    kind: int


@dataclass(frozen=True, slots=True)
class Dependency:
    """How often spans of `parent` had a direct child span in `child` (same-service edges included)."""

    parent: str
    child: str
    call_count: int


@dataclass(frozen=True, slots=True)
class SpanMetricsQuery:
    """Request, error and duration figures per service (and span name), in steps of time."""

    services: Sequence[str]
    kinds: Sequence[int]
    time: TimeRange
    step_ns: int
    by_span_name: bool = False


# One row per (service, span name or null, step that has spans). `latency_buckets` maps bucket b to the number of
# spans whose duration is in [GROWTH**b, GROWTH**(b+1)) nanoseconds, GROWTH = LATENCY_BUCKET_GROWTH; 0 ns is bucket 0.
LATENCY_BUCKET_GROWTH = 1.02
SPAN_METRICS = pa.schema(
    [
        pa.field("service_name", pa.string()),
        pa.field("span_name", pa.string()),
        pa.field("step_start_unix_nano", pa.int64()),
        pa.field("calls", pa.uint64()),
        pa.field("errors", pa.uint64()),
        pa.field("latency_buckets", pa.map_(pa.int32(), pa.uint64())),
    ]
)


@dataclass(frozen=True, slots=True)
class ServiceStats:
    """Figures of one service over a range; durations in nanoseconds."""

    service_name: str
    spans: int
    errors: int
    duration_p50_ns: int
    duration_p90_ns: int
    duration_p95_ns: int
    duration_p99_ns: int


@dataclass(frozen=True, slots=True)
class Overview:
    """Figures of everything that starts in a range."""

    traces: int
    spans: int
    span_errors: int
    logs: int
    log_errors: int  # severity_number >= 17
    services: tuple[ServiceStats, ...] = ()
