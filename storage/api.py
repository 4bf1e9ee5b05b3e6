"""The storage port: what every engine does, in terms of Arrow tables and plain values.

Receivers, processors and queries see this module and never an engine. Times are integer nanoseconds since the epoch,
ranges are half-open [start, end), ids are raw bytes. Every method may raise `StorageUnavailable` (retryable),
`StorageRejected` or `QueryLimitExceeded`. All methods may be called from any thread, side by side.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import pyarrow as pa

from storage.schemas import AGENT_LOGS, AGENT_SPANS, LOGS, SPANS


class Signal(StrEnum):
    """The two signals that are stored."""

    TRACES = "traces"
    LOGS = "logs"


@dataclass(frozen=True, slots=True)
class Batch:
    """What one storage write holds: the rows of a fixed run of journal records.

    `id` is the deduplication token: writing a batch with an id that was written before (wholly or in part) stores
    every row once, provided the tables are the same, row for row.
    """

    id: str
    spans: pa.Table  # SPANS
    logs: pa.Table  # LOGS
    agent_spans: pa.Table = field(default_factory=AGENT_SPANS.empty_table)
    agent_logs: pa.Table = field(default_factory=AGENT_LOGS.empty_table)
    time_unix_nano: int = 0  # when the first of its requests arrived

    @property
    def rows(self) -> int:
        """Spans plus log records."""
        return int(self.spans.num_rows + self.logs.num_rows)


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
    NE is true only for spans that carry the key. REGEX is RE2, unanchored.
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
    PARENT_SPAN_ID = "parent_span_id"  # value: lower-case hex; EXISTS means not a root
    EVENT_NAME = "event_name"
    SEVERITY = "severity_number"  # log records only
    SEVERITY_TEXT = "severity_text"  # log records only
    BODY = "body"  # log records only


@dataclass(frozen=True, slots=True)
class FieldCondition:
    """One condition on a field of the item itself."""

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


@dataclass(frozen=True, slots=True)
class StorageSize:
    """What the store holds on disk, all signals, and per signal."""

    bytes_on_disk: int
    rows: dict[str, int] = field(default_factory=dict)
    bytes_by_table: dict[str, int] = field(default_factory=dict)
    oldest_day: str | None = None  # ISO date


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """How long and how much is kept. None means "without limit"."""

    spans_days: int | None = 7
    logs_days: int | None = 7
    max_bytes: int | None = None


class Writer(Protocol):
    """The write side of an engine."""

    def write(self, batch: Batch) -> None:
        """Store a batch durably (fsynced) and make it visible to reads before returning.

        Idempotent per `batch.id`, also after a crash in the middle; see `Batch`. One writer calls at a time.
        """
        ...


class TraceReader(Protocol):
    """Reads over spans."""

    def find_traces(self, query: TraceQuery) -> list[TraceMatch]:
        """Return at most `query.limit` matches, newest first, each trace once.

        Ties in time are broken by trace id, descending. The page after the last match starts at
        `TraceCursor(last.newest_match_unix_nano, last.trace_id)`.
        """
        ...

    def get_traces(self, trace_ids: Sequence[bytes], columns: Sequence[str] | None = None) -> pa.Table:
        """Return every span of the given traces, whatever its time (SPANS schema, or the named columns of it).

        Spans that are equal bit for bit appear once; spans that merely share an id all appear. Rows are grouped by
        trace, in the order of `trace_ids`, and by start time within a trace. Unknown ids add no rows.
        """
        ...

    def services(self) -> list[str]:
        """Return the names of all services that have spans or log records, sorted."""
        ...

    def operations(self, service_name: str | None = None, kind: int | None = None) -> list[Operation]:
        """Return the distinct (service, span name, kind), sorted, at most 10,000."""
        ...

    def attribute_keys(
        self, signal: Signal, level: Level = Level.ITEM, prefix: str = "", limit: int = 1000
    ) -> list[str]:
        """Return attribute keys seen, sorted. EVENT and LINK are empty for logs."""
        ...

    def attribute_values(
        self, signal: Signal, key: str, level: Level = Level.ITEM, prefix: str = "", limit: int = 100
    ) -> list[tuple[str, str]]:
        """Return distinct (text, type letter) values of a key among recent items, most frequent first."""
        ...

    def dependencies(self, time: TimeRange, service_name: str | None = None) -> list[Dependency]:
        """Return caller → callee counts over spans that start in the range and whose parent is in the same trace."""
        ...

    def span_metrics(self, query: SpanMetricsQuery) -> pa.Table:
        """Return SPAN_METRICS rows, ordered by service, span name, step. Steps are multiples of `step_ns`."""
        ...

    def overview(self, time: TimeRange) -> Overview:
        """Return counts and latency quantiles of what starts in the range."""
        ...


class LogReader(Protocol):
    """Reads over log records."""

    def find_logs(self, query: LogQuery) -> LogPage:
        """Return a page of log records."""
        ...

    def count_logs(self, query: LogQuery, step_ns: int) -> list[tuple[int, int, int]]:
        """Return (step start, severity_number, count) for the matching records; `limit` and `after` are ignored."""
        ...


class Storage(Writer, TraceReader, LogReader, Protocol):
    """An engine: opened by its constructor function, closed once."""

    @property
    def engine(self) -> str:
        """Name and version, for people."""
        ...

    def ping(self) -> None:
        """Return when the engine can answer; raise StorageUnavailable otherwise. Cheap."""
        ...

    def size(self) -> StorageSize:
        """Return what is on disk now."""
        ...

    def enforce_retention(self, policy: RetentionPolicy, now_unix_nano: int) -> list[str]:
        """Drop whole days that are over age, then the oldest days until the store is under the cap.

        Returns the dropped partitions as "table/day". Frees the disk before it returns. Idempotent.
        """
        ...

    def purge(self) -> None:
        """Remove every item. Reads see nothing once this returns; what is written afterwards stays."""
        ...

    def close(self) -> None:
        """Finish running calls and release the engine. Idempotent."""
        ...


def empty_spans() -> pa.Table:
    """Return a SPANS table without rows."""
    return SPANS.empty_table()


def empty_logs() -> pa.Table:
    """Return a LOGS table without rows."""
    return LOGS.empty_table()
