"""Find traces: windows from the newest back, until there are enough; each trace at its newest match."""

from dataclasses import dataclass

from storage.api import Signal, TimeRange, TraceCursor, TraceMatch, TraceQuery
from storage.clickhouse.bindings import MAX_UINT64, Bindings, id_list, time_sql
from storage.clickhouse.conditions import filter_sql
from storage.clickhouse.engine import Engine
from storage.clickhouse.fields import DURATION
from storage.clickhouse.histogram import Histogram
from storage.clickhouse.lookups import Lookups

# Rows of the first window, and how much larger each next one is at most. Attributes cost 0.3 µs a row to look at
# (measured), so a common value is found in about 10 ms; a rare one is answered by its index over the later, larger
# windows.
_FIRST, _GROWTH = 16_000, 32
_SLACK = 8


@dataclass(frozen=True, slots=True)
class _Conditions:
    sql: str
    bindings: Bindings


class TraceSearch:
    """`find_traces` over the spans table."""

    def __init__(self, engine: Engine, histogram: Histogram, lookups: Lookups) -> None:
        self._engine, self._histogram, self._lookups = engine, histogram, lookups

    def find(self, query: TraceQuery) -> list[TraceMatch]:
        """See `storage.api.TraceReader.find_traces`."""
        time = TimeRange(max(query.time.start, 0), min(query.time.end, MAX_UINT64 + 1))
        newest = query.after.newest_match_unix_nano if query.after else MAX_UINT64
        reach = TimeRange(time.start, min(time.end, newest + 1))
        if query.limit <= 0 or reach.start >= reach.end:
            return []
        conditions = self._conditions(query)
        if conditions is None:
            return []
        found: dict[bytes, TraceMatch] = {}
        passed: set[bytes] = set()  # their newest match is on an earlier page
        for window in self._histogram.windows(reach, _FIRST, _GROWTH, found=lambda: len(found) / query.limit):
            self._search_window(window, time, query, conditions, found, passed)
            if len(found) >= query.limit:
                break
        return list(found.values())[: query.limit]

    def _search_window(
        self,
        window: TimeRange,
        time: TimeRange,
        query: TraceQuery,
        conditions: _Conditions,
        found: dict[bytes, TraceMatch],
        passed: set[bytes],
    ) -> None:
        """Add the window's traces, newest first, until the limit is reached or the window is exhausted."""
        after = query.after
        while len(found) < query.limit:
            wanted = query.limit + (_SLACK if query.after else 0)
            page = self._page(window, conditions, after, wanted)
            fresh = [match for match in page if match.trace_id not in found and match.trace_id not in passed]
            if query.after:
                passed |= self._newer_matches(fresh, query.after, time, conditions)
            found |= {match.trace_id: match for match in fresh if match.trace_id not in passed}
            if len(page) < wanted:
                return
            after = TraceCursor(page[-1].newest_match_unix_nano, page[-1].trace_id)

    def _page(
        self, window: TimeRange, conditions: _Conditions, after: TraceCursor | None, limit: int
    ) -> list[TraceMatch]:
        bindings = conditions.bindings.copy()
        having = ""
        if after:
            edge, trace_id = bindings.unsigned(after.newest_match_unix_nano), id_list([after.trace_id])
            having = f"HAVING newest < {edge} OR (newest = {edge} AND trace_id < {trace_id})"
        rows = self._engine.query(
            f"""
            SELECT trace_id, max(start_time_unix_nano) AS newest FROM spans
            WHERE {time_sql("start_time_unix_nano", window, bindings)} AND {conditions.sql}
            GROUP BY trace_id {having} ORDER BY newest DESC, trace_id DESC LIMIT {int(limit)}
            """,
            bindings.parameters,
        )
        return [
            TraceMatch(trace_id, newest)
            for trace_id, newest in zip(rows["trace_id"].to_pylist(), rows["newest"].to_pylist(), strict=True)
        ]

    def _newer_matches(
        self, matches: list[TraceMatch], after: TraceCursor, time: TimeRange, conditions: _Conditions
    ) -> set[bytes]:
        """Return those of the traces that also match after the cursor: they belong to an earlier page."""
        newer = TimeRange(max(after.newest_match_unix_nano, time.start), time.end)
        if not matches or newer.start >= newer.end:
            return set()
        bindings = conditions.bindings.copy()
        edge = bindings.unsigned(after.newest_match_unix_nano)
        rows = self._engine.query(
            f"""
            SELECT DISTINCT trace_id FROM spans
            PREWHERE trace_id IN ({id_list([match.trace_id for match in matches])})
            WHERE {time_sql("start_time_unix_nano", newer, bindings)} AND start_time_unix_nano > {edge}
                AND {conditions.sql}
            """,
            bindings.parameters,
        )
        return set(rows["trace_id"].to_pylist())

    def _conditions(self, query: TraceQuery) -> _Conditions | None:
        bindings = Bindings()
        parts = _plain_conditions(query, bindings)
        if query.filter is not None:
            parts.append(filter_sql(self._lookups, query.filter, Signal.TRACES, bindings, query.service_name))
        if "0" in parts:
            return None
        return _Conditions(" AND ".join(parts or ["1"]), bindings)


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
