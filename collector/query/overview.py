"""The figures of `GET /api/v1/traces/stats/overview`."""

from typing import Any

from collector.query.dependencies import QueryDependencies
from collector.query.parse.times import format_time
from storage.queries import ServiceStats, TimeRange

_HOUR_NS = 3_600_000_000_000

OVERVIEW_EXAMPLE: dict[str, Any] = {
    "start": "2026-01-30T12:00:00.000000000Z",
    "end": "2026-01-31T12:00:00.000000000Z",
    "last_hours": 24,
    "trace_count": 1200,
    "span_count": 48000,
    "span_error_count": 31,
    "log_count": 9000,
    "log_error_count": 40,
    "services": [
        {
            "name": "cart",
            "span_count": 48000,
            "error_count": 31,
            "duration_ns": {"p50": 1200000, "p90": 9000000, "p95": 12000000, "p99": 48000000},
        }
    ],
    "storage": {
        "engine": "embedded ClickHouse 26.9",
        "bytes_on_disk": 5242880,
        "bytes_by_table": {"spans": 4194304, "logs": 1048576},
        "rows": {"spans": 48000, "logs": 9000},
        "oldest_day": "2026-01-25",
    },
}


def overview(deps: QueryDependencies, last_hours: float) -> dict[str, Any]:
    """Return the figures of what started in the last hours, up to now."""
    now = deps.clock()
    start = max(0, now - int(last_hours * _HOUR_NS))
    found = deps.storage.overview(TimeRange(start, now + 1))
    size = deps.storage.size()
    return {
        "start": format_time(start),
        "end": format_time(now),
        "last_hours": last_hours,
        "trace_count": found.traces,
        "span_count": found.spans,
        "span_error_count": found.span_errors,
        "log_count": found.logs,
        "log_error_count": found.log_errors,
        "services": [_service(service) for service in found.services],
        "storage": {
            "engine": deps.storage.engine,
            "bytes_on_disk": size.bytes_on_disk,
            "bytes_by_table": size.bytes_by_table,
            "rows": size.rows,
            "oldest_day": size.oldest_day,
        },
    }


def _service(stats: ServiceStats) -> dict[str, Any]:
    return {
        "name": stats.service_name,
        "span_count": stats.spans,
        "error_count": stats.errors,
        "duration_ns": {
            "p50": stats.duration_p50_ns,
            "p90": stats.duration_p90_ns,
            "p95": stats.duration_p95_ns,
            "p99": stats.duration_p99_ns,
        },
    }
