"""The Monitor tab's figures from storage's per-step counts."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from exporters.jaeger.span_metrics import MetricsRange, _Step, _windows, call_rates, error_rates, latencies
from storage.queries import LATENCY_BUCKET_GROWTH, SPAN_METRICS

S = 10**9
T0 = 1_767_225_600 * S  # 2026-01-01


def asked(**changes: Any) -> MetricsRange:
    values: dict[str, Any] = {
        "services": ("shop",),
        "kinds": (2,),
        "end_unix_nano": T0 + 180 * S,
        "lookback_ns": 120 * S,
        "step_ns": 60 * S,
        "rate_per_ns": 120 * S,
        "by_operation": False,
    }
    return MetricsRange(**values | changes)


def rows(*steps: tuple[str | None, int, int, int, dict[int, int]]) -> pa.Table:
    names = ("span_name", "step_start_unix_nano", "calls", "errors", "latency_buckets")
    columns: dict[str, Any] = {name: [step[at] for step in steps] for at, name in enumerate(names)}
    columns["latency_buckets"] = [list(buckets.items()) for buckets in columns["latency_buckets"]]
    columns["service_name"] = ["shop"] * len(steps)
    return pa.table([pa.array(columns[field.name], field.type) for field in SPAN_METRICS], schema=SPAN_METRICS)


STEPS = rows((None, T0, 60, 0, {100: 60}), (None, T0 + 60 * S, 120, 30, {100: 60, 200: 60}))


def points(family: dict[str, Any]) -> list[tuple[str, float]]:
    (metric,) = family["metrics"]
    return [(point["timestamp"], point["gaugeValue"]["doubleValue"]) for point in metric["metricPoints"]]


def test_rates_slide_over_the_steps() -> None:
    family = call_rates(STEPS, asked())
    assert points(family) == [
        ("2026-01-01T00:01:00Z", 0.5),
        ("2026-01-01T00:02:00Z", 1.5),
        ("2026-01-01T00:03:00Z", 1.0),
    ]
    assert {name: family[name] for name in ("name", "type", "help")} == {
        "name": "service_call_rate",
        "type": "GAUGE",
        "help": "calls/sec, grouped by service",
    }
    assert family["metrics"][0]["labels"] == [{"name": "service_name", "value": "shop"}]


def test_errors_are_a_share_and_zero_without_any() -> None:
    assert points(error_rates(STEPS, asked())) == [
        ("2026-01-01T00:01:00Z", 0.0),
        ("2026-01-01T00:02:00Z", 30 / 180),
        ("2026-01-01T00:03:00Z", 0.25),
    ]


def test_latencies_are_milliseconds_within_the_bucket() -> None:
    family = latencies(STEPS, asked(), 0.5)
    low, high = (LATENCY_BUCKET_GROWTH**bucket / 10**6 for bucket in (100, 101))
    found = points(family)
    assert family["help"] == "0.50th quantile latency, grouped by service"
    assert found[0][1] == pytest.approx((low + high) / 2)
    assert found[1][1] == pytest.approx(low + (high - low) * 0.75)
    assert found[2][1] == pytest.approx(high)


def test_quantiles_at_the_ends() -> None:
    top = LATENCY_BUCKET_GROWTH**201 / 10**6
    assert points(latencies(STEPS, asked(), 1.0))[2][1] == pytest.approx(top)
    assert points(latencies(STEPS, asked(), 0.0))[2][1] == pytest.approx(LATENCY_BUCKET_GROWTH**100 / 10**6)


def test_by_operation() -> None:
    family = call_rates(rows(("GET /", T0, 60, 0, {1: 60})), asked(by_operation=True))
    assert family["name"] == "service_operation_call_rate"
    assert family["help"] == "calls/sec, grouped by service & operation"
    assert family["metrics"][0]["labels"][1] == {"name": "operation", "value": "GET /"}


def test_nothing_stored_is_no_series() -> None:
    assert latencies(SPAN_METRICS.empty_table(), asked(), 0.5)["metrics"] == []
    assert call_rates(SPAN_METRICS.empty_table(), asked())["metrics"] == []


def test_a_window_without_spans_has_no_latency_but_a_rate() -> None:
    late = asked(end_unix_nano=T0 + 600 * S, lookback_ns=60 * S)
    assert latencies(STEPS, late, 0.5)["metrics"] == []
    assert {value for _, value in points(call_rates(STEPS, late))} == {0.0}


def test_the_last_point_is_the_end() -> None:
    times = asked(end_unix_nano=T0 + 150 * S).points
    assert times == [T0 + 60 * S, T0 + 120 * S, T0 + 150 * S]


def test_storage_is_asked_for_steps_that_divide_the_window() -> None:
    query = asked(step_ns=60 * S, rate_per_ns=90 * S).query()
    assert query.step_ns == 30 * S
    assert (query.time.start, query.time.end) == (T0 - 30 * S, T0 + 180 * S)


def test_storage_is_never_asked_for_absurdly_many_steps() -> None:
    long_window = asked(step_ns=10**6, rate_per_ns=7 * 86_400 * S, lookback_ns=10 * S)
    assert long_window.query().step_ns == -(-(7 * 86_400 + 10) * S // 50_000)
    assert asked(step_ns=60 * S, rate_per_ns=10**6, lookback_ns=7 * 86_400 * S).fine_step_ns > 10**6


def test_a_window_costs_what_enters_and_leaves_it() -> None:
    class Counted(list[tuple[int, int]]):
        read = 0

        def __iter__(self) -> Iterator[tuple[int, int]]:
            Counted.read += 1
            return super().__iter__()

    steps = [_Step(T0 + number, 1, 0, Counted([(number % 3, 1)])) for number in range(1000)]
    far = asked(end_unix_nano=T0 + 1000, lookback_ns=1000, step_ns=1, rate_per_ns=500)
    sums = [(window.calls, sum(window.buckets.values())) for _, window in _windows(steps, far)]
    assert sums == [(min(at, 500), min(at, 500)) for at in range(1001)]
    assert Counted.read <= 2 * len(steps)
