"""Which service calls which: child spans joined with their parents."""

from storage.postgres.bindings import Bindings, time_sql
from storage.postgres.database import Database
from storage.postgres.suggestions import text
from storage.queries import Dependency, TimeRange
from storage.windows import Windows

_START = "start_time_unix_nano"
# A parent is looked for this long before and after the range of its child.
_PARENT_MARGIN_NS = 6 * 3600 * 10**9
# Spans joined at most: beyond, whole traces are sampled and the counts scaled.
_JOIN_ROWS = 4_000_000
_SHARES = 256


class DependencyCounts:
    """`storage.api.TraceReader.dependencies` over the spans table."""

    def __init__(self, database: Database, span_times: Windows) -> None:
        self._database, self._span_times = database, span_times

    def count(self, time: TimeRange, service_name: str | None) -> list[Dependency]:
        """See `storage.api.TraceReader.dependencies`.

        The parent is looked for up to six hours around the range. Beyond four million spans the counts are scaled up
        from a sample of whole traces.
        """
        time = time.clamped()
        if time.start >= time.end:
            return []
        wide = TimeRange(time.start - _PARENT_MARGIN_NS, time.end + _PARENT_MARGIN_NS).clamped()
        share = max(1, min(_SHARES, _SHARES * _JOIN_ROWS // max(self._span_times.rows(wide), 1)))
        bindings = Bindings()
        sample = f"get_byte(trace_id, 15) < {share}" if share < _SHARES else "true"
        named = ""
        if service_name is not None:
            name = bindings.text(service_name)
            named = f"WHERE parent = {name} OR child = {name}"
        # Client and server may share a span id: the server is the one whose work the child is part of.
        rows = self._database.query(
            f"""
            SELECT parent, child, count(*) FROM
            (
                SELECT trace_id, parent_span_id, service_name AS child FROM spans
                WHERE {time_sql(_START, time, bindings)} AND parent_span_id <> '' AND {sample}
            ) AS children
            JOIN
            (
                SELECT trace_id, span_id,
                    COALESCE(max(service_name) FILTER (WHERE kind = 2), max(service_name)) AS parent
                FROM spans WHERE {time_sql(_START, wide, bindings)} AND {sample} GROUP BY trace_id, span_id
            ) AS parents ON parents.trace_id = children.trace_id AND parents.span_id = children.parent_span_id
            {named} GROUP BY parent, child ORDER BY parent, child
            """,
            bindings.parameters,
        )
        return [Dependency(text(parent), text(child), calls * _SHARES // share) for parent, child, calls in rows]
