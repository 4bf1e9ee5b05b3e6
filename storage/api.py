"""The storage port: what every engine does, in terms of Arrow tables and plain values.

Receivers, processors and queries see this module, with the values of `storage.queries`, and never an engine. Times are
integer nanoseconds since the epoch, ranges are half-open [start, end), ids are raw bytes. Every method may raise
`StorageUnavailable` (retryable), `StorageRejected` or `QueryLimitExceeded`. All methods may be called from any thread,
side by side.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa

from storage.queries import (
    Dependency,
    Level,
    LogPage,
    LogQuery,
    LogStream,
    Operation,
    Overview,
    Signal,
    SpanMetricsQuery,
    TimeRange,
    TraceMatch,
    TraceQuery,
)
from storage.schemas import AGENT_LOGS, AGENT_SPANS, LOGS, SPANS


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

    def log_streams(self, query: LogQuery) -> list[LogStream]:
        """Return the distinct streams of the matching records, in no order, at most 10,000.

        Every matching record of the time range counts; `limit` and `after` are ignored.
        """
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
