"""Figures over many spans: rate/error/duration series, the overview."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import pyarrow as pa

from storage.postgres.bindings import Bindings, step_sql, time_sql
from storage.postgres.database import Database
from storage.postgres.suggestions import text
from storage.queries import LATENCY_BUCKET_GROWTH, SPAN_METRICS, Overview, ServiceStats, SpanMetricsQuery, TimeRange

_START = "start_time_unix_nano"
_BUCKET = f"floor(ln(greatest(duration_ns, 1)) / ln({LATENCY_BUCKET_GROWTH}))::integer"


class Figures:
    """Reads the spans and logs tables only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def span_metrics(self, query: SpanMetricsQuery) -> pa.Table:
        """See `storage.api.TraceReader.span_metrics`. No services or kinds given: all of them."""
        time = query.time.clamped()
        if time.start >= time.end:
            return SPAN_METRICS.empty_table()
        bindings = Bindings()
        step, base = step_sql(_START, query.step_ns)
        where = [time_sql(_START, time, bindings)]
        if query.services:
            where.append(f"service_name = ANY({bindings.texts(query.services)})")
        if query.kinds:
            where.append(f"kind IN ({', '.join(bindings.integer(kind) for kind in query.kinds)})")
        name = "name" if query.by_span_name else "NULL::text"
        rows = self._database.query(
            f"""
            SELECT service_name, {name}, {step}, {_BUCKET}, count(*), count(*) FILTER (WHERE status_code = 2)
            FROM spans WHERE {" AND ".join(where)} GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
            """,
            bindings.parameters,
        )
        series: dict[tuple[bytes, bytes | None, int], list[tuple[int, int, int]]] = defaultdict(list)
        for service, span_name, number, bucket, calls, errors in rows:
            series[(service, span_name, number)].append((bucket, calls, errors))
        found = [
            {
                "service_name": text(service),
                "span_name": None if span_name is None else text(span_name),
                "step_start_unix_nano": (number + base) * query.step_ns,
                "calls": sum(calls for _, calls, _ in buckets),
                "errors": sum(errors for _, _, errors in buckets),
                "latency_buckets": [(bucket, calls) for bucket, calls, _ in buckets],
            }
            for (service, span_name, number), buckets in series.items()
        ]
        return pa.Table.from_pylist(found, schema=SPAN_METRICS)

    def overview(self, time: TimeRange) -> Overview:
        """See `storage.api.TraceReader.overview`. Quantiles are within 1 %."""
        time = time.clamped()
        if time.start >= time.end:
            return Overview(0, 0, 0, 0, 0)
        bindings = Bindings()
        spans = time_sql(_START, time, bindings)
        logs = time_sql("event_time_unix_nano", time, bindings)
        traces = self._database.query(
            f"SELECT count(*) FROM (SELECT DISTINCT trace_id FROM spans WHERE {spans}) AS found", bindings.parameters
        )
        records = self._database.query(
            f"SELECT count(*), count(*) FILTER (WHERE severity_number >= 17) FROM logs WHERE {logs}",
            bindings.parameters,
        )
        services = self._services(spans, bindings)
        return Overview(
            traces=traces[0][0],
            spans=sum(service.spans for service in services),
            span_errors=sum(service.errors for service in services),
            logs=records[0][0],
            log_errors=records[0][1],
            services=services,
        )

    def _services(self, where: str, bindings: Bindings) -> tuple[ServiceStats, ...]:
        rows = self._database.query(
            f"""
            SELECT service_name, CASE WHEN duration_ns > 0 THEN {_BUCKET} ELSE -1 END AS bucket, count(*),
                count(*) FILTER (WHERE status_code = 2)
            FROM spans WHERE {where} GROUP BY service_name, bucket ORDER BY service_name, bucket
            """,
            bindings.parameters,
        )
        found: dict[bytes, dict[int, int]] = defaultdict(dict)
        errors: dict[bytes, int] = defaultdict(int)
        for service, bucket, count, failed in rows:
            found[service][bucket] = count
            errors[service] += failed
        return tuple(
            ServiceStats(
                text(service), sum(buckets.values()), errors[service], *quantiles(buckets, (0.5, 0.9, 0.95, 0.99))
            )
            for service, buckets in found.items()
        )


def quantiles(buckets: Mapping[int, int], wanted: Sequence[float]) -> list[int]:
    """Return quantiles of durations from counts of `SPAN_METRICS`' buckets in ascending order; bucket -1 is 0 ns."""
    total = sum(buckets.values())
    found = []
    for share in wanted:
        rank, seen, answer = share * (total - 1), 0, 0.0
        for bucket, count in buckets.items():
            answer = 0.0 if bucket < 0 else LATENCY_BUCKET_GROWTH ** (bucket + 0.5)
            seen += count
            if seen > rank:
                break
        found.append(int(answer))
    return found
