"""Request, error and duration figures as Jaeger's Monitor tab reads them: one OpenMetrics MetricFamily.

A point at time t covers the window [t - rate_per, t); points lie on multiples of the step, and the last one on the end
of the range. Source: jaeger `internal/storage/metricstore/prometheus/metricstore/reader.go`.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import accumulate
from math import gcd
from typing import Any, TypeAlias

import pyarrow as pa

from exporters.columns import lists, values
from storage.queries import LATENCY_BUCKET_GROWTH, SpanMetricsQuery, TimeRange

# Prometheus refuses more points a series than this.
MAX_POINTS = 11_000
_MAX_FINE_STEPS = 50_000
_NS_PER_S = 1_000_000_000
_NS_PER_MS = 1_000_000

_Labels: TypeAlias = "tuple[str, str | None]"  # service, span name


@dataclass(frozen=True, slots=True)
class MetricsRange:
    """What is asked for. Times and lengths in nanoseconds; `step_ns` and `rate_per_ns` are positive."""

    services: tuple[str, ...]
    kinds: tuple[int, ...]
    end_unix_nano: int
    lookback_ns: int
    step_ns: int
    rate_per_ns: int
    by_operation: bool

    @property
    def points(self) -> list[int]:
        """The times of the points, oldest first."""
        first = -(-max(0, self.end_unix_nano - self.lookback_ns) // self.step_ns) * self.step_ns
        times = list(range(first, self.end_unix_nano, self.step_ns))
        return [*times, self.end_unix_nano]

    @property
    def point_count(self) -> int:
        """How many points a series has, without making them."""
        return self.lookback_ns // self.step_ns + 1

    @property
    def fine_step_ns(self) -> int:
        """The step that storage is asked for: it divides the windows, when that is not absurdly many steps."""
        length = self.end_unix_nano - self._start
        fine = gcd(self.step_ns, self.rate_per_ns)
        if length // fine <= _MAX_FINE_STEPS:
            return fine
        return max(min(self.step_ns, self.rate_per_ns), -(-length // _MAX_FINE_STEPS))

    @property
    def _start(self) -> int:
        return max(0, self.end_unix_nano - self.lookback_ns - self.rate_per_ns)

    def query(self) -> SpanMetricsQuery:
        """Return the question to storage."""
        time = TimeRange(self._start, self.end_unix_nano)
        return SpanMetricsQuery(self.services, self.kinds, time, self.fine_step_ns, by_span_name=self.by_operation)


@dataclass(frozen=True, slots=True)
class _Step:
    start: int
    calls: int
    errors: int
    buckets: list[tuple[int, int]]


@dataclass(slots=True)
class _Window:
    """What the steps of a window add up to."""

    calls: int = 0
    errors: int = 0
    buckets: dict[int, int] = field(default_factory=dict)

    def add(self, step: _Step, times: int) -> None:
        """Add a step; `times` -1 takes it out again."""
        self.calls += times * step.calls
        self.errors += times * step.errors
        for bucket, count in step.buckets:
            self.buckets[bucket] = self.buckets.get(bucket, 0) + times * count
            if not self.buckets[bucket]:
                del self.buckets[bucket]


_Value: TypeAlias = Callable[[_Window, MetricsRange], "float | None"]


def latencies(rows: pa.Table, asked: MetricsRange, quantile: float) -> dict[str, Any]:
    """Return the quantile in milliseconds, for points whose window has spans. `rows` are SPAN_METRICS."""
    name, text = "service_latencies", f"{quantile:.2f}th quantile latency, grouped by service"
    return _family(name, text, rows, asked, lambda window, _: _quantile_ms(window, quantile))


def call_rates(rows: pa.Table, asked: MetricsRange) -> dict[str, Any]:
    """Return spans per second. `rows` are SPAN_METRICS."""
    return _family("service_call_rate", "calls/sec, grouped by service", rows, asked, _call_rate)


def error_rates(rows: pa.Table, asked: MetricsRange) -> dict[str, Any]:
    """Return the share of spans with status ERROR, 0 to 1, for points whose window has spans."""
    text = "error rate, computed as a fraction of errors/sec over calls/sec, grouped by service"
    return _family("service_error_rate", text, rows, asked, _error_rate)


def _family(name: str, text: str, rows: pa.Table, asked: MetricsRange, value: _Value) -> dict[str, Any]:
    if asked.by_operation:
        name, text = name.replace("service", "service_operation", 1), f"{text} & operation"
    metrics = []
    for labels, steps in _series(rows).items():
        points = [
            {"gaugeValue": {"doubleValue": found}, "timestamp": _timestamp(time)}
            for time, window in _windows(steps, asked)
            if (found := value(window, asked)) is not None
        ]
        if points:
            metrics.append({"labels": _labels(*labels), "metricPoints": points})
    return {"name": name, "type": "GAUGE", "help": text, "metrics": metrics}


def _series(rows: pa.Table) -> dict[_Labels, list[_Step]]:
    bounds, pairs = lists(rows["latency_buckets"])
    keys, counts = (values(part) for part in pairs.flatten()) if len(pairs) else ([], [])
    buckets = list(zip(keys, counts, strict=True))
    names = ("service_name", "span_name", "step_start_unix_nano", "calls", "errors")
    columns = zip(*(values(rows[name]) for name in names), bounds, bounds[1:], strict=False)
    series: dict[_Labels, list[_Step]] = defaultdict(list)
    for service, span, start, calls, errors, first, last in columns:
        series[service, span].append(_Step(start, calls, errors, buckets[first:last]))
    return series


def _windows(steps: list[_Step], asked: MetricsRange) -> Iterator[tuple[int, _Window]]:
    """Yield each point's time and the sum of the steps that start in its window: the same window, moved on."""
    window = _Window()
    first = last = 0
    for time in asked.points:
        while last < len(steps) and steps[last].start < time:
            window.add(steps[last], 1)
            last += 1
        while first < last and steps[first].start < time - asked.rate_per_ns:
            window.add(steps[first], -1)
            first += 1
        yield time, window


def _call_rate(window: _Window, asked: MetricsRange) -> float:
    return window.calls * _NS_PER_S / asked.rate_per_ns


def _error_rate(window: _Window, _: MetricsRange) -> float | None:
    return window.errors / window.calls if window.calls else None


def _quantile_ms(window: _Window, quantile: float) -> float | None:
    merged = window.buckets
    if not merged:
        return None
    order = sorted(merged)
    upto = list(accumulate(merged[bucket] for bucket in order))
    rank = quantile * upto[-1]
    at = min(bisect_left(upto, rank), len(order) - 1)
    inside = (rank - (upto[at] - merged[order[at]])) / merged[order[at]]
    low, high = LATENCY_BUCKET_GROWTH ** order[at], LATENCY_BUCKET_GROWTH ** (order[at] + 1)
    return float(low + (high - low) * inside) / _NS_PER_MS


def _labels(service: str, span_name: str | None) -> list[dict[str, str]]:
    # The UI takes the first label's value for the service, and "operation" by its name.
    labels = [{"name": "service_name", "value": service}]
    return labels if span_name is None else [*labels, {"name": "operation", "value": span_name}]


def _timestamp(unix_nano: int) -> str:
    seconds, nanos = divmod(unix_nano, _NS_PER_S)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{nanos:09d}".rstrip("0") + "Z" if nanos else f"{text}Z"
