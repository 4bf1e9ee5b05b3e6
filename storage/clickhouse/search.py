"""Find traces in the spans table."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import repeat

from storage.clickhouse.bindings import Bindings, id_list, one_of_ids, time_sql
from storage.clickhouse.conditions import filter_sql
from storage.clickhouse.engine import Engine
from storage.clickhouse.histogram import Histogram
from storage.clickhouse.lookups import Lookups
from storage.fields import DURATION
from storage.queries import Signal, TimeRange, TraceCursor, TraceMatch, TraceQuery
from storage.search import ReadPage, find_traces

# Rows of the first window, and how much larger each next one is at most. Attributes cost 0.3 µs a row to look at
# (measured), so a common value is found in about 10 ms; a rare one is answered by its index over the later, larger
# windows.
_FIRST, _GROWTH = 16_000, 32
_SLACK = 8


class TraceSearch:
    """`find_traces` over the spans table."""

    def __init__(self, engine: Engine, histogram: Histogram, lookups: Lookups) -> None:
        self._engine, self._histogram, self._lookups = engine, histogram, lookups

    def find(self, query: TraceQuery) -> list[TraceMatch]:
        """See `storage.api.TraceReader.find_traces`."""
        return find_traces(query, self._matching)

    def _matching(self, query: TraceQuery) -> "_MatchingSpans | None":
        bindings = Bindings()
        parts = _plain_conditions(query, bindings)
        if query.filter is not None:
            parts.append(filter_sql(self._lookups, query.filter, Signal.TRACES, bindings, query.service_name))
        if "0" in parts:
            return None
        page_size = query.limit + (_SLACK if query.after else 0)
        return _MatchingSpans(self._engine, self._histogram, " AND ".join(parts or ["1"]), bindings, page_size)


@dataclass(frozen=True, slots=True)
class _MatchingSpans:
    """`storage.search.MatchingSpans`: pages of whole traces."""

    engine: Engine
    histogram: Histogram
    sql: str
    bindings: Bindings
    page_size: int

    def windows(self, reach: TimeRange, found: Callable[[], float]) -> Iterator[ReadPage]:
        """See `MatchingSpans.windows`."""
        for window in self.histogram.windows(reach, _FIRST, _GROWTH, found=found):
            yield partial(self._page, window)

    def page_sizes(self) -> Iterator[int]:
        """See `MatchingSpans.page_sizes`."""
        return repeat(self.page_size)

    def _page(self, window: TimeRange, after: TraceCursor | None, size: int) -> list[TraceMatch]:
        bindings = self.bindings.copy()
        having = ""
        if after:
            edge, trace_id = bindings.unsigned(after.newest_match_unix_nano), id_list([after.trace_id])
            having = f"HAVING newest < {edge} OR (newest = {edge} AND trace_id < {trace_id})"
        rows = self.engine.query(
            f"""
            SELECT trace_id, max(start_time_unix_nano) AS newest FROM spans
            WHERE {time_sql("start_time_unix_nano", window, bindings)} AND {self.sql}
            GROUP BY trace_id {having} ORDER BY newest DESC, trace_id DESC LIMIT {int(size)}
            """,
            bindings.parameters,
        )
        return [
            TraceMatch(trace_id, newest)
            for trace_id, newest in zip(rows["trace_id"].to_pylist(), rows["newest"].to_pylist(), strict=True)
        ]

    def newer(self, trace_ids: Sequence[bytes], after: TraceCursor, time: TimeRange) -> set[bytes]:
        """See `MatchingSpans.newer`."""
        bindings = self.bindings.copy()
        edge, trace_id = bindings.unsigned(after.newest_match_unix_nano), id_list([after.trace_id])
        rows = self.engine.query(
            f"""
            SELECT DISTINCT trace_id FROM spans
            PREWHERE {one_of_ids("trace_id", trace_ids)}
            WHERE {time_sql("start_time_unix_nano", time, bindings)} AND {self.sql}
                AND (start_time_unix_nano > {edge} OR trace_id >= {trace_id})
            """,
            bindings.parameters,
        )
        return set(rows["trace_id"].to_pylist())


def _plain_conditions(query: TraceQuery, bindings: Bindings) -> list[str]:
    parts = []
    if query.service_name is not None:
        parts.append(f"service_name = {bindings.text(query.service_name)}")
    if query.span_name is not None:
        parts.append(f"name = {bindings.text(query.span_name)}")
    if query.kind is not None:
        parts.append(f"kind = {bindings.signed(query.kind)}")
    if query.status_code is not None:
        parts.append(f"status_code = {bindings.signed(query.status_code)}")
    if query.duration_min_ns is not None:
        parts.append(f"{DURATION} >= {bindings.signed(query.duration_min_ns)}")
    if query.duration_max_ns is not None:
        parts.append(f"{DURATION} <= {bindings.signed(query.duration_max_ns)}")
    return parts
