"""Find and count log records."""

from dataclasses import dataclass

import pyarrow as pa

from storage.clickhouse.bindings import Bindings, keyed_time_sql, one_of_ids
from storage.clickhouse.columns import LOG_COLUMNS
from storage.clickhouse.conditions import filter_sql
from storage.clickhouse.contexts import Contexts
from storage.clickhouse.engine import Engine
from storage.clickhouse.fields import body_contains
from storage.clickhouse.histogram import Histogram
from storage.clickhouse.lookups import Lookups
from storage.clickhouse.suggestions import text
from storage.log_pages import page, reach
from storage.queries import MAX_LOG_STREAMS, LogPage, LogQuery, LogStream, Signal, TimeRange
from storage.schemas import LOGS

_FIRST, _GROWTH = 32_000, 8
_TIME = "event_time_unix_nano"

# Records of one time need an order that does not change from page to page; equal records are interchangeable.
_TIE = (
    "cityHash64(service_name, trace_id, span_id, severity_number, body, mapValues(attributes), mapKeys(attributes),"
    " time_unix_nano, observed_time_unix_nano, event_name, resource_id, scope_id)"
)


@dataclass(frozen=True, slots=True)
class _Search:
    sql: str
    bindings: Bindings
    oldest_first: bool

    @property
    def direction(self) -> str:
        return "ASC" if self.oldest_first else "DESC"


class LogTable:
    """`storage.api.LogReader` over the logs table."""

    def __init__(
        self,
        engine: Engine,
        contexts: Contexts,
        histogram: Histogram,
        lookups: Lookups,
    ) -> None:
        self._engine, self._contexts, self._histogram, self._lookups = engine, contexts, histogram, lookups

    def find(self, query: LogQuery) -> LogPage:
        """See `storage.api.LogReader.find_logs`."""
        time = reach(query)
        skip = query.after.skip if query.after else 0
        if query.limit <= 0 or time.start >= time.end:
            return LogPage(LOGS.empty_table(), None)
        search = self._search(query)
        edge = self._edge(time, search, skip + query.limit)
        rows = self._records(edge, search, skip, query.limit)
        return page(rows, query)

    def count(self, query: LogQuery, step_ns: int) -> list[tuple[int, int, int]]:
        """See `storage.api.LogReader.count_logs`."""
        time = query.time.clamped()
        if time.start >= time.end:
            return []
        search = self._search(query)
        bindings = search.bindings.copy()
        step = bindings.unsigned(step_ns)
        rows = self._engine.query(
            f"""
            SELECT intDiv({_TIME}, {step}) * {step} AS step, severity_number, count() AS records FROM logs
            WHERE {keyed_time_sql(_TIME, time, bindings)} AND {search.sql}
            GROUP BY step, severity_number ORDER BY step, severity_number
            """,
            bindings.parameters,
        )
        columns = (rows[name].to_pylist() for name in ("step", "severity_number", "records"))
        return list(zip(*columns, strict=True))

    def streams(self, query: LogQuery) -> list[LogStream]:
        """See `storage.api.LogReader.log_streams`."""
        time = query.time.clamped()
        if time.start >= time.end:
            return []
        search = self._search(query)
        bindings = search.bindings.copy()
        rows = self._engine.query(
            f"""
            SELECT DISTINCT service_name, resource_id FROM logs
            WHERE {keyed_time_sql(_TIME, time, bindings)} AND {search.sql} LIMIT {MAX_LOG_STREAMS}
            """,
            bindings.parameters,
        ).combine_chunks()
        if not len(rows):
            return []
        services = (text(name) for name in rows["service_name"].to_pylist())
        resources = self._contexts.resources.read(rows["resource_id"].chunk(0)).to_pylist()
        return [LogStream(service, resource) for service, resource in zip(services, resources, strict=True)]

    def _search(self, query: LogQuery) -> _Search:
        bindings = Bindings()
        parts = []
        if query.trace_id is not None:
            parts.append(f"trace_id = {bindings.text(query.trace_id)}")
        if query.trace_ids is not None:
            parts.append(one_of_ids("trace_id", query.trace_ids))
        if query.span_id is not None:
            parts.append(f"span_id = {bindings.text(query.span_id)}")
        if query.service_name is not None:
            parts.append(f"service_name = {bindings.text(query.service_name)}")
        if query.severity_min is not None:
            parts.append(f"severity_number >= {bindings.signed(query.severity_min)}")
        if query.text:
            parts.append(body_contains(query.text, bindings))
        if query.filter is not None:
            parts.append(filter_sql(self._lookups, query.filter, Signal.LOGS, bindings, query.service_name))
        return _Search(" AND ".join(parts or ["1"]), bindings, query.oldest_first)

    def _edge(self, time: TimeRange, search: _Search, wanted: int) -> TimeRange:
        """Return the part of the range that holds the first `wanted` matches, looking at times only."""
        asked = wanted
        windows = self._histogram.windows(
            time, _FIRST, _GROWTH, oldest_first=search.oldest_first, found=lambda: 1 - wanted / asked
        )
        for window in windows:
            bindings = search.bindings.copy()
            rows = self._engine.query(
                f"""
                SELECT {_TIME} AS time FROM logs WHERE {keyed_time_sql(_TIME, window, bindings)} AND {search.sql}
                ORDER BY time {search.direction} LIMIT {int(wanted)}
                """,
                bindings.parameters,
            )
            wanted -= len(rows)
            if wanted <= 0:
                last = rows["time"][len(rows) - 1].as_py()
                return TimeRange(time.start, last + 1) if search.oldest_first else TimeRange(last, time.end)
        return time

    def _records(self, time: TimeRange, search: _Search, skip: int, limit: int) -> pa.Table:
        bindings = search.bindings.copy()
        rows = self._engine.query(
            f"""
            SELECT {", ".join(LOG_COLUMNS)} FROM logs WHERE {keyed_time_sql(_TIME, time, bindings)} AND {search.sql}
            ORDER BY {_TIME} {search.direction}, {_TIE} LIMIT {int(limit)} OFFSET {int(skip)}
            """,
            bindings.parameters,
        )
        return self._contexts.resolve(rows, LOGS)
