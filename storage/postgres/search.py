"""Find traces: windows from the newest back, until there are enough; each trace at its newest match."""

from dataclasses import dataclass

from storage.api import Signal, TimeRange, TraceCursor, TraceMatch, TraceQuery
from storage.postgres.bindings import Bindings, clamp, service_sql, time_sql
from storage.postgres.conditions import Compiler
from storage.postgres.database import Database
from storage.postgres.fields import DURATION
from storage.postgres.unsigned import MAX_UINT64, from_bigint
from storage.windows import Windows

# Rows of the first window, and how much larger each next one is.
_FIRST, _GROWTH = 8_000, 8
_SLACK = 8


@dataclass(frozen=True, slots=True)
class _Conditions:
    sql: str
    bindings: Bindings


class TraceSearch:
    """`find_traces` over the spans table."""

    def __init__(self, database: Database, windows: Windows) -> None:
        self._database, self._windows = database, windows

    def find(self, query: TraceQuery) -> list[TraceMatch]:
        """See `storage.api.TraceReader.find_traces`."""
        time = clamp(query.time)
        newest = query.after.newest_match_unix_nano if query.after else MAX_UINT64
        reach = TimeRange(time.start, min(time.end, newest + 1))
        if query.limit <= 0 or reach.start >= reach.end:
            return []
        conditions = self._conditions(query)
        if conditions is None:
            return []
        found: dict[bytes, TraceMatch] = {}
        passed: set[bytes] = set()  # their newest match is on an earlier page
        for window in self._windows.windows(reach, _FIRST, _GROWTH):
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
            edge, trace_id = bindings.unsigned(after.newest_match_unix_nano), bindings.raw(after.trace_id)
            having = f"HAVING (max(start_time_unix_nano), trace_id) < ({edge}, {trace_id})"
        rows = self._database.query(
            f"""
            SELECT trace_id, max(start_time_unix_nano) AS newest FROM spans
            WHERE {time_sql("start_time_unix_nano", window, bindings)} AND {conditions.sql}
            GROUP BY trace_id {having} ORDER BY newest DESC, trace_id DESC LIMIT {int(limit)}
            """,
            bindings.parameters,
        )
        return [TraceMatch(trace_id, from_bigint(newest)) for trace_id, newest in rows]

    def _newer_matches(
        self, matches: list[TraceMatch], after: TraceCursor, time: TimeRange, conditions: _Conditions
    ) -> set[bytes]:
        """Return those of the traces that also match after the cursor: they belong to an earlier page."""
        newer = TimeRange(max(after.newest_match_unix_nano + 1, time.start), time.end)
        if not matches or newer.start >= newer.end:
            return set()
        bindings = conditions.bindings.copy()
        rows = self._database.query(
            f"""
            SELECT DISTINCT trace_id FROM spans
            WHERE trace_id = ANY({bindings.raws([match.trace_id for match in matches])})
                AND {time_sql("start_time_unix_nano", newer, bindings)} AND {conditions.sql}
            """,
            bindings.parameters,
        )
        return {row[0] for row in rows}

    def _conditions(self, query: TraceQuery) -> _Conditions | None:
        bindings = Bindings()
        parts = _plain_conditions(query, bindings)
        if query.filter is not None:
            parts.append(Compiler(self._database, Signal.TRACES, bindings).sql(query.filter))
        if "false" in parts:
            return None
        return _Conditions(" AND ".join(parts or ["true"]), bindings)


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
