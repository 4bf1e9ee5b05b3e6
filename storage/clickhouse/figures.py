"""Figures over many spans: dependencies, rate/error/duration series, the overview. Narrow columns, bounded memory."""

import pyarrow as pa

from storage.api import (
    LATENCY_BUCKET_GROWTH,
    SPAN_METRICS,
    Dependency,
    Overview,
    ServiceStats,
    SpanMetricsQuery,
    TimeRange,
)
from storage.clickhouse.arrow import conform
from storage.clickhouse.bindings import MAX_UINT64, Bindings, time_sql
from storage.clickhouse.engine import Engine
from storage.clickhouse.fields import DURATION
from storage.clickhouse.histogram import Histogram
from storage.clickhouse.suggestions import text

_START = "start_time_unix_nano"
# A parent is looked for this long before and after the range of its child.
_PARENT_MARGIN_NS = 6 * 3600 * 10**9
# Spans joined at once, and in all: beyond, whole traces are sampled and the counts scaled.
_JOIN_ROWS, _JOIN_ROWS_IN_ALL = 3_000_000, 60_000_000
_SERVER = 1 << 32  # added to the service number of a server span
_EXACT_TRACES = 10_000_000


class Figures:
    """Reads the spans and logs tables only."""

    def __init__(self, engine: Engine, span_times: Histogram) -> None:
        self._engine, self._span_times = engine, span_times

    def dependencies(self, time: TimeRange, service_name: str | None) -> list[Dependency]:
        """See `storage.api.TraceReader.dependencies`.

        The parent is looked for up to six hours around the range. Beyond 60 million spans the counts are scaled up
        from a sample of whole traces.
        """
        time = clamp(time)
        if time.start >= time.end:
            return []
        wide = clamp(TimeRange(time.start - _PARENT_MARGIN_NS, time.end + _PARENT_MARGIN_NS))
        rows = self._span_times.rows(wide)
        passes = max(1, -(-rows // _JOIN_ROWS))
        joined = min(passes, max(1, _JOIN_ROWS_IN_ALL // _JOIN_ROWS))
        counts: dict[tuple[str, str], int] = {}
        for number in range(joined):
            for edge, calls in self._edges(time, wide, (number, passes), service_name):
                counts[edge] = counts.get(edge, 0) + calls
        return [
            Dependency(parent, child, calls * passes // joined) for (parent, child), calls in sorted(counts.items())
        ]

    def _edges(
        self, time: TimeRange, wide: TimeRange, part: tuple[int, int], service_name: str | None
    ) -> list[tuple[tuple[str, str], int]]:
        bindings = Bindings()
        number, passes = part
        share = f"cityHash64(trace_id) % {passes} = {number}" if passes > 1 else "1"
        named = ""
        if service_name is not None:
            name = bindings.text(service_name)
            named = f"WHERE parent = {name} OR child = {name}"
        # Names travel as numbers (measured: half the time). Client and server may share a span id: the server is the
        # one whose work the child is part of, so its number wins.
        rows = self._engine.query(
            f"""
            WITH (SELECT arraySort(groupUniqArray(service_name)) FROM services) AS names
            SELECT parent, child, calls FROM
            (
                SELECT names[parent_number % {_SERVER}] AS parent, names[child_number] AS child, sum(n) AS calls FROM
                (
                    SELECT indexOf(names, service_name) AS child_number,
                        cityHash64(trace_id, parent_span_id) AS key, count() AS n
                    FROM spans WHERE {time_sql(_START, time, bindings)} AND parent_span_id != '' AND {share}
                    GROUP BY child_number, key
                ) AS children
                INNER JOIN
                (
                    SELECT max(indexOf(names, service_name) + if(kind = 2, {_SERVER}, 0)) AS parent_number,
                        cityHash64(trace_id, span_id) AS key
                    FROM spans WHERE {time_sql(_START, wide, bindings)} AND {share} GROUP BY key
                ) AS parents USING (key)
                GROUP BY parent, child
            )
            {named}
            """,
            bindings.parameters,
            {"join_algorithm": "hash"},
        )
        columns = (rows[name].to_pylist() for name in ("parent", "child", "calls"))
        return [((text(parent), text(child)), calls) for parent, child, calls in zip(*columns, strict=True)]

    def span_metrics(self, query: SpanMetricsQuery) -> pa.Table:
        """See `storage.api.TraceReader.span_metrics`. No services or kinds given: all of them."""
        time = clamp(query.time)
        if time.start >= time.end:
            return SPAN_METRICS.empty_table()
        bindings = Bindings()
        step = bindings.unsigned(query.step_ns)
        where = [time_sql(_START, time, bindings)]
        if query.services:
            where.append(f"service_name IN ({', '.join(bindings.text(name) for name in query.services)})")
        if query.kinds:
            where.append(f"kind IN ({', '.join(bindings.signed(kind) for kind in query.kinds)})")
        name = "toNullable(name)" if query.by_span_name else "CAST(NULL, 'Nullable(String)')"
        bucket = f"toInt32(floor(log(greatest(duration_ns, 1)) / log({LATENCY_BUCKET_GROWTH})))"
        rows = self._engine.query(
            f"""
            SELECT service_name, span_name, step_start_unix_nano, sum(n) AS calls, sum(e) AS errors,
                CAST((groupArray(bucket), groupArray(n)), 'Map(Int32, UInt64)') AS latency_buckets
            FROM
            (
                SELECT service_name, {name} AS span_name,
                    toInt64(intDiv({_START}, {step}) * {step}) AS step_start_unix_nano,
                    {bucket} AS bucket, count() AS n, countIf(status_code = 2) AS e
                FROM spans WHERE {" AND ".join(where)} GROUP BY ALL ORDER BY bucket
            )
            GROUP BY service_name, span_name, step_start_unix_nano
            ORDER BY service_name, span_name, step_start_unix_nano
            """,
            bindings.parameters,
        )
        return conform(rows, SPAN_METRICS)

    def overview(self, time: TimeRange) -> Overview:
        """See `storage.api.TraceReader.overview`. Quantiles are within 1 %; over ten million spans so are traces."""
        time = clamp(time)
        if time.start >= time.end:
            return Overview(0, 0, 0, 0, 0)
        bindings = Bindings()
        exact = self._span_times.rows(time) <= _EXACT_TRACES
        spans = self._engine.query(
            f"SELECT {'uniqExact' if exact else 'uniqCombined64'}(trace_id) AS traces FROM spans"
            f" WHERE {time_sql(_START, time, bindings)}",
            bindings.parameters,
        )
        services = self._services(time)
        logs = self._logs(time)
        return Overview(
            traces=spans["traces"][0].as_py(),
            spans=sum(service.spans for service in services),
            span_errors=sum(service.errors for service in services),
            logs=logs[0],
            log_errors=logs[1],
            services=services,
        )

    def _services(self, time: TimeRange) -> tuple[ServiceStats, ...]:
        bindings = Bindings()
        rows = self._engine.query(
            f"""
            SELECT service_name, count() AS spans, countIf(status_code = 2) AS errors,
                quantilesDD(0.01, 0.5, 0.9, 0.95, 0.99)({DURATION}) AS quantiles
            FROM spans WHERE {time_sql(_START, time, bindings)} GROUP BY service_name ORDER BY service_name
            """,
            bindings.parameters,
        )
        return tuple(
            ServiceStats(
                text(row["service_name"]), row["spans"], row["errors"], *(int(value) for value in row["quantiles"])
            )
            for row in rows.to_pylist()
        )

    def _logs(self, time: TimeRange) -> tuple[int, int]:
        bindings = Bindings()
        rows = self._engine.query(
            f"""
            SELECT count() AS logs, countIf(severity_number >= 17) AS errors FROM logs
            WHERE {time_sql("event_time_unix_nano", time, bindings)}
            """,
            bindings.parameters,
        )
        return rows["logs"][0].as_py(), rows["errors"][0].as_py()


def clamp(time: TimeRange) -> TimeRange:
    """Return the part of a range that 64 unsigned bits can name."""
    return TimeRange(max(time.start, 0), min(time.end, MAX_UINT64 + 1))
