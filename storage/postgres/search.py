"""Find traces in the spans table."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from storage.fields import DURATION
from storage.postgres.bindings import Bindings, service_sql, time_sql
from storage.postgres.conditions import Compiler
from storage.postgres.database import Database, Row
from storage.postgres.unsigned import from_bigint
from storage.queries import Signal, TimeRange, TraceCursor, TraceMatch, TraceQuery
from storage.search import ReadPage, find_traces
from storage.windows import Windows

# Rows of the first window, and how much larger each next one is.
_FIRST, _GROWTH = 32_000, 8
# Spans read for each trace that is wanted, how much larger each next page is, and the largest.
_SPANS_A_TRACE, _PAGE_GROWTH, _MAX_PAGE = 8, 4, 100_000
# Windows that are walked in the index's order; larger ones may be faster to read as a whole, in parallel.
_WALKED = 2

Read = Callable[[str, dict[str, Any]], list[Row]]


class TraceSearch:
    """`find_traces` over the spans table."""

    def __init__(self, database: Database, windows: Windows) -> None:
        self._database, self._windows = database, windows

    def find(self, query: TraceQuery) -> list[TraceMatch]:
        """See `storage.api.TraceReader.find_traces`."""
        return find_traces(query, self._matching)

    def _matching(self, query: TraceQuery) -> "_MatchingSpans | None":
        bindings = Bindings()
        parts = _plain_conditions(query, bindings)
        if query.filter is not None:
            parts.append(Compiler(self._database, Signal.TRACES, bindings).sql(query.filter))
        if "false" in parts:
            return None
        sql = " AND ".join(parts or ["true"])
        return _MatchingSpans(self._database, self._windows, sql, bindings, query.limit * _SPANS_A_TRACE)


@dataclass(frozen=True, slots=True)
class _MatchingSpans:
    """`storage.search.MatchingSpans`: pages of single spans."""

    database: Database
    histogram: Windows
    sql: str
    bindings: Bindings
    first_page: int

    def windows(self, reach: TimeRange, found: Callable[[], float]) -> Iterator[ReadPage]:  # noqa: ARG002  windows grow at one rate
        """See `MatchingSpans.windows`."""
        for number, window in enumerate(self.histogram.windows(reach, _FIRST, _GROWTH)):
            yield partial(self._page, self.database.walk if number < _WALKED else self.database.query, window)

    def page_sizes(self) -> Iterator[int]:
        """See `MatchingSpans.page_sizes`."""
        size = self.first_page
        while True:
            yield size
            size = min(size * _PAGE_GROWTH, _MAX_PAGE)

    def _page(self, read: Read, window: TimeRange, after: TraceCursor | None, size: int) -> list[TraceMatch]:
        """Return the newest matching spans after a cursor, newest first: the index gives that order."""
        bindings = self.bindings.copy()
        further = ""
        if after:
            edge, trace_id = bindings.unsigned(after.newest_match_unix_nano), bindings.raw(after.trace_id)
            further = f"AND start_time_unix_nano <= {edge} AND (start_time_unix_nano < {edge} OR trace_id < {trace_id})"
        rows = read(
            f"""
            SELECT trace_id, start_time_unix_nano FROM spans
            WHERE {time_sql("start_time_unix_nano", window, bindings)} AND {self.sql} {further}
            ORDER BY start_time_unix_nano DESC, trace_id DESC LIMIT {int(size)}
            """,
            bindings.parameters,
        )
        return [TraceMatch(trace_id, from_bigint(start)) for trace_id, start in rows]

    def newer(self, trace_ids: Sequence[bytes], after: TraceCursor, time: TimeRange) -> set[bytes]:
        """See `MatchingSpans.newer`."""
        bindings = self.bindings.copy()
        edge, trace_id = bindings.unsigned(after.newest_match_unix_nano), bindings.raw(after.trace_id)
        rows = self.database.query(
            f"""
            SELECT DISTINCT trace_id FROM spans
            WHERE trace_id = ANY({bindings.raws(trace_ids)})
                AND {time_sql("start_time_unix_nano", time, bindings)} AND {self.sql}
                AND (start_time_unix_nano > {edge} OR trace_id >= {trace_id})
            """,
            bindings.parameters,
        )
        return {row[0] for row in rows}


def _plain_conditions(query: TraceQuery, bindings: Bindings) -> list[str]:
    parts = []
    if query.service_name is not None:
        parts.append(service_sql(query.service_name, bindings))
    if query.span_name is not None:
        parts.append(f"name = {bindings.text(query.span_name)}")
    if query.kind is not None:
        parts.append(f"kind = {bindings.integer(query.kind)}")
    if query.status_code is not None:
        parts.append(f"status_code = {bindings.integer(query.status_code)}")
    if query.duration_min_ns is not None:
        parts.append(f"{DURATION} >= {bindings.number(query.duration_min_ns)}")
    if query.duration_max_ns is not None:
        parts.append(f"{DURATION} <= {bindings.number(query.duration_max_ns)}")
    return parts
