"""Find traces: windows from the newest back, until there are enough; each trace at its newest match."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from storage.api import Signal, TimeRange, TraceCursor, TraceMatch, TraceQuery
from storage.postgres.bindings import Bindings, clamp, service_sql, time_sql
from storage.postgres.conditions import Compiler
from storage.postgres.database import Database, Row
from storage.postgres.fields import DURATION
from storage.postgres.unsigned import MAX_UINT64, from_bigint
from storage.windows import Windows

# Rows of the first window, and how much larger each next one is.
_FIRST, _GROWTH = 32_000, 8
# Spans read for each trace that is wanted, how much larger each next page is, and the largest.
_SPANS_A_TRACE, _PAGE_GROWTH, _MAX_PAGE = 8, 4, 100_000
# Windows that are walked in the index's order; larger ones may be faster to read as a whole, in parallel.
_WALKED = 2

Read = Callable[[str, dict[str, Any]], list[Row]]


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
        for number, window in enumerate(self._windows.windows(reach, _FIRST, _GROWTH)):
            read = self._database.walk if number < _WALKED else self._database.query
            self._search_window(window, time, query, conditions, found, passed, read)
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
        read: Read,
    ) -> None:
        """Add the window's traces, newest first, until the limit is reached or the window is exhausted."""
        after, count = query.after, query.limit * _SPANS_A_TRACE
        while len(found) < query.limit:
            page = self._page(window, conditions, after, count, read)
            fresh: dict[bytes, TraceMatch] = {}
            for match in page:
                if match.trace_id not in found and match.trace_id not in passed:
                    fresh.setdefault(match.trace_id, match)
            if query.after:
                passed |= self._newer_matches(list(fresh), query.after, time, conditions)
            found |= {trace_id: match for trace_id, match in fresh.items() if trace_id not in passed}
            if len(page) < count:
                return
            after = TraceCursor(page[-1].newest_match_unix_nano, page[-1].trace_id)
            count = min(count * _PAGE_GROWTH, _MAX_PAGE)

    def _page(
        self,
        window: TimeRange,
        conditions: _Conditions,
        after: TraceCursor | None,
        limit: int,
        read: Read,
    ) -> list[TraceMatch]:
        """Return the newest matching spans after a cursor, newest first: the index gives that order."""
        bindings = conditions.bindings.copy()
        further = ""
        if after:
            edge, trace_id = bindings.unsigned(after.newest_match_unix_nano), bindings.raw(after.trace_id)
            further = f"AND start_time_unix_nano <= {edge} AND (start_time_unix_nano < {edge} OR trace_id < {trace_id})"
        rows = read(
            f"""
            SELECT trace_id, start_time_unix_nano FROM spans
            WHERE {time_sql("start_time_unix_nano", window, bindings)} AND {conditions.sql} {further}
            ORDER BY start_time_unix_nano DESC, trace_id DESC LIMIT {int(limit)}
            """,
            bindings.parameters,
        )
        return [TraceMatch(trace_id, from_bigint(start)) for trace_id, start in rows]

    def _newer_matches(
        self, traces: list[bytes], after: TraceCursor, time: TimeRange, conditions: _Conditions
    ) -> set[bytes]:
        """Return those of the traces that also match at or after the cursor: they belong to an earlier page."""
        newer = TimeRange(max(after.newest_match_unix_nano, time.start), time.end)
        if not traces or newer.start >= newer.end:
            return set()
        bindings = conditions.bindings.copy()
        edge, trace_id = bindings.unsigned(after.newest_match_unix_nano), bindings.raw(after.trace_id)
        rows = self._database.query(
            f"""
            SELECT DISTINCT trace_id FROM spans
            WHERE trace_id = ANY({bindings.raws(traces)})
                AND {time_sql("start_time_unix_nano", newer, bindings)} AND {conditions.sql}
                AND (start_time_unix_nano > {edge} OR trace_id >= {trace_id})
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
