"""Find and count log records."""

from dataclasses import dataclass

import pyarrow as pa

from storage.log_pages import page, reach
from storage.postgres.bindings import Bindings, service_sql, step_sql, time_sql
from storage.postgres.conditions import Compiler
from storage.postgres.database import Database, Row, quoted
from storage.postgres.decoding import Decoder, stored_columns
from storage.queries import MAX_LOG_STREAMS, LogPage, LogQuery, LogStream, Signal, TimeRange
from storage.schemas import LOGS
from storage.windows import Windows

_FIRST, _GROWTH = 8_000, 8
# Records read at once without a server-side cursor, which costs six round trips.
_FEW = 2_000
_TIME = "event_time_unix_nano"
_STREAMS = pa.schema([LOGS.field("service_name"), LOGS.field("resource")])


@dataclass(frozen=True, slots=True)
class _Search:
    sql: str
    bindings: Bindings
    narrow: bool  # few records whatever the range


class LogTable:
    """`storage.api.LogReader` over the logs table."""

    def __init__(self, database: Database, decoder: Decoder, windows: Windows, tie: str) -> None:
        """Take what reads use; `tie` is SQL that orders records of one time."""
        self._database, self._decoder, self._windows, self._tie = database, decoder, windows, tie

    def find(self, query: LogQuery) -> LogPage:
        """See `storage.api.LogReader.find_logs`. Records of one time stand in the order they are stored in."""
        time = reach(query)
        if query.limit <= 0 or time.start >= time.end:
            return LogPage(LOGS.empty_table(), None)
        search = self._search(query)
        found: list[Row] = []
        skip = query.after.skip if query.after else 0  # all of them in the first window: it holds the cursor's time
        if search.sql != "false":
            windows = (
                [time]
                if search.narrow
                else self._windows.windows(time, _FIRST, _GROWTH, oldest_first=query.oldest_first)
            )
            for window in windows:
                found += self._records(window, search, query.oldest_first, skip, query.limit - len(found))
                skip = 0
                if len(found) >= query.limit:
                    break
        return page(self._decoder.table(found, LOGS), query)

    def count(self, query: LogQuery, step_ns: int) -> list[tuple[int, int, int]]:
        """See `storage.api.LogReader.count_logs`."""
        time = query.time.clamped()
        search = self._search(query)
        if time.start >= time.end or search.sql == "false":
            return []
        bindings = search.bindings.copy()
        step, base = step_sql(_TIME, step_ns)
        rows = self._database.query(
            f"""
            SELECT {step} AS step, severity_number, count(*) FROM logs
            WHERE {time_sql(_TIME, time, bindings)} AND {search.sql}
            GROUP BY step, severity_number ORDER BY step, severity_number
            """,
            bindings.parameters,
        )
        return [((number + base) * step_ns, severity, count) for number, severity, count in rows]

    def streams(self, query: LogQuery) -> list[LogStream]:
        """See `storage.api.LogReader.log_streams`."""
        time = query.time.clamped()
        search = self._search(query)
        if time.start >= time.end or search.sql == "false":
            return []
        bindings = search.bindings.copy()
        rows = self._database.query(
            f"""
            SELECT DISTINCT service_name, resource_id FROM logs
            WHERE {time_sql(_TIME, time, bindings)} AND {search.sql} LIMIT {MAX_LOG_STREAMS}
            """,
            bindings.parameters,
        )
        found = self._decoder.table(rows, _STREAMS)
        columns = (found[name].to_pylist() for name in _STREAMS.names)
        return [LogStream(service, resource) for service, resource in zip(*columns, strict=True)]

    def _search(self, query: LogQuery) -> _Search:
        bindings = Bindings()
        parts = []
        if query.trace_id is not None:
            parts.append(f"trace_id = {bindings.raw(query.trace_id)}")
            parts += ["trace_id <> ''"] if query.trace_id else []  # what the index is made for
        if query.trace_ids is not None:
            parts.append(f"trace_id = ANY({bindings.raws(query.trace_ids)})" if query.trace_ids else "false")
            parts += ["trace_id <> ''"] if b"" not in query.trace_ids else []
        if query.span_id is not None:
            parts.append(f"span_id = {bindings.raw(query.span_id)}")
        if query.service_name is not None:
            parts.append(service_sql(query.service_name, bindings))
        if query.severity_min is not None:
            parts.append(f"severity_number >= {bindings.integer(query.severity_min)}")
        if query.text:
            collation = self._database.lower_collation
            text = bindings.text(query.text)
            parts.append(f"position(lower({text} {collation}) in lower(body {collation})) > 0")
        if query.filter is not None:
            parts.append(Compiler(self._database, Signal.LOGS, bindings).sql(query.filter))
        sql = "false" if "false" in parts else " AND ".join(parts or ["true"])
        return _Search(sql, bindings, bool(query.trace_id) or query.trace_ids is not None)

    def _records(self, time: TimeRange, search: _Search, oldest_first: bool, skip: int, limit: int) -> list[Row]:
        bindings = search.bindings.copy()
        direction = "ASC" if oldest_first else "DESC"
        read = self._database.query if limit <= _FEW else self._database.stream
        return read(
            f"""
            SELECT {quoted(stored_columns(LOGS.names))} FROM logs
            WHERE {time_sql(_TIME, time, bindings)} AND {search.sql}
            ORDER BY {_TIME} {direction}, {self._tie} LIMIT {int(limit)} OFFSET {int(skip)}
            """,
            bindings.parameters,
        )
