"""Dependencies, rate/error/duration series, the overview."""

import math
from typing import Any

import pytest

from storage.agents import AgentStorage
from storage.queries import LATENCY_BUCKET_GROWTH, SPAN_METRICS, Dependency, Overview, SpanMetricsQuery, TimeRange
from tests.contract.items import ALL_TIME, NOW, SECOND, Row, batch, log, span, trace_id

RANGE = TimeRange(NOW, NOW + 100 * SECOND)


@pytest.mark.parametrize("around", [0, 100])
def test_dependencies(store: AgentStorage, around: int) -> None:
    """Whether or not many spans lie around the range, in which parents are looked for."""
    trace = trace_id(77)

    def node(number: int, parent: int | None, service: str, **fields: Any) -> Row:
        above = b"" if parent is None else parent.to_bytes(8, "little")
        return span(
            trace_id=trace, span_id=number.to_bytes(8, "little"), parent_span_id=above, service_name=service, **fields
        )

    store.write(
        batch(
            [
                node(1, None, "front", start_time_unix_nano=NOW - 3_600 * SECOND),
                node(2, 1, "cart"),
                node(3, 1, "cart"),
                node(4, 2, "cart", kind=2),
                node(4, 2, "proxy", kind=3),  # client and server share an id: what the server calls is the server's
                node(5, 4, "db"),
                node(6, 99, "orphan"),
                node(7, 1, "late", start_time_unix_nano=RANGE.end),
                span(parent_span_id=(2).to_bytes(8, "little"), service_name="another trace"),
                *(span(start_time_unix_nano=NOW - 1_800 * SECOND) for _ in range(around)),
            ]
        )
    )
    assert store.dependencies(RANGE) == [
        Dependency("cart", "cart", 1),
        Dependency("cart", "db", 1),
        Dependency("cart", "proxy", 1),
        Dependency("front", "cart", 2),
    ]
    assert store.dependencies(RANGE, "db") == [Dependency("cart", "db", 1)]
    assert store.dependencies(TimeRange(5, 5)) == []


def test_span_metrics(store: AgentStorage) -> None:
    step = 10 * SECOND
    durations = [0, 1, 1_000, 1_000, 5_000_000, -7]
    rows = [
        span(service_name="a", name="x", kind=2, duration_ns=value, start_time_unix_nano=NOW) for value in durations
    ]
    rows[0]["status_code"] = 2
    rows += [span(service_name="a", name="y", kind=2, start_time_unix_nano=NOW + step)]
    rows += [span(service_name="b", kind=2), span(service_name="a", name="x", kind=3)]
    store.write(batch(rows))
    found = store.span_metrics(SpanMetricsQuery(["a"], [2], RANGE, step, by_span_name=True))
    assert found.schema == SPAN_METRICS
    first, second = found.to_pylist()
    start = NOW // step * step
    assert [first[name] for name in SPAN_METRICS.names[:5]] == ["a", "x", start, 6, 1]
    assert [second[name] for name in SPAN_METRICS.names[:5]] == ["a", "y", start + step, 1, 0]

    def bucket(duration: int) -> int:
        return math.floor(math.log(duration) / math.log(LATENCY_BUCKET_GROWTH))

    assert first["latency_buckets"] == [(0, 3), (bucket(1_000), 2), (bucket(5_000_000), 1)]
    whole = store.span_metrics(SpanMetricsQuery(["a", "b"], [2, 3], RANGE, step)).to_pylist()
    assert [(row["service_name"], row["span_name"], row["calls"]) for row in whole] == [
        ("a", None, 7),
        ("a", None, 1),
        ("b", None, 1),
    ]


def test_overview(store: AgentStorage) -> None:
    trace = trace_id(78)
    rows = [span(trace_id=trace, service_name="a", duration_ns=value * 1_000) for value in range(1, 101)]
    rows[0]["status_code"] = 2
    rows += [
        span(service_name="b", duration_ns=-5),
        span(start_time_unix_nano=NOW - 1),
        span(start_time_unix_nano=RANGE.end),
    ]
    store.write(batch(rows, [log(severity_number=number) for number in (0, 16, 17, 24)]))
    overview = store.overview(RANGE)
    assert (overview.traces, overview.spans, overview.span_errors) == (2, 101, 1)
    assert (overview.logs, overview.log_errors) == (4, 2)
    a, b = overview.services
    assert (a.service_name, a.spans, a.errors) == ("a", 100, 1)
    quantiles = (a.duration_p50_ns, a.duration_p90_ns, a.duration_p95_ns, a.duration_p99_ns)
    assert quantiles == pytest.approx((50_000, 90_000, 95_000, 99_000), rel=0.03)
    assert (b.service_name, b.spans, b.duration_p50_ns, b.duration_p99_ns) == ("b", 1, 0, 0)


def test_an_empty_store_has_figures_too(store: AgentStorage) -> None:
    assert store.overview(ALL_TIME) == Overview(0, 0, 0, 0, 0)
    assert store.dependencies(ALL_TIME) == []
    assert store.span_metrics(SpanMetricsQuery(["a"], [1], ALL_TIME, SECOND)).num_rows == 0
