"""Figures over many spans: rate/error/duration series, the overview. Narrow columns, bounded memory."""

import pyarrow as pa

from storage.clickhouse.arrow import conform
from storage.clickhouse.bindings import Bindings, keyed_time_sql, time_sql
from storage.clickhouse.engine import Engine
from storage.clickhouse.histogram import Histogram
from storage.clickhouse.suggestions import text
from storage.fields import DURATION
from storage.queries import LATENCY_BUCKET_GROWTH, SPAN_METRICS, Overview, ServiceStats, SpanMetricsQuery, TimeRange

_START = "start_time_unix_nano"
_EXACT_TRACES = 10_000_000


class Figures:
    """Reads the spans and logs tables only."""

    def __init__(self, engine: Engine, span_times: Histogram) -> None:
        self._engine, self._span_times = engine, span_times

    def span_metrics(self, query: SpanMetricsQuery) -> pa.Table:
        """See `storage.api.TraceReader.span_metrics`. No services or kinds given: all of them."""
        time = query.time.clamped()
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
        time = time.clamped()
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
            WHERE {keyed_time_sql("event_time_unix_nano", time, bindings)}
            """,
            bindings.parameters,
        )
        return rows["logs"][0].as_py(), rows["errors"][0].as_py()
