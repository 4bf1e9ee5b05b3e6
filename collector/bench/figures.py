"""Statistics of a run: pure functions over lists of numbers."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil


@dataclass(frozen=True, slots=True)
class Spread:
    """A distribution in short, in the unit of what it was made from."""

    count: int
    p50: float
    p99: float
    max: float


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile of ordered numbers; NaN when there are none."""
    if not ordered:
        return float("nan")
    return ordered[max(0, ceil(share * len(ordered)) - 1)]


def spread(numbers: Sequence[float]) -> Spread:
    """Return p50, p99 and the maximum."""
    ordered = sorted(numbers)
    return Spread(len(ordered), percentile(ordered, 0.5), percentile(ordered, 0.99), percentile(ordered, 1.0))


def rates(moments: Sequence[float], start: float, window: float) -> list[float]:
    """Return events per second in each whole window after `start`; `moments` are ordered."""
    if not moments:
        return []
    edges = [start + window * i for i in range(int((moments[-1] - start) / window) + 1)]
    counts = [bisect_left(moments, high) - bisect_left(moments, low) for low, high in pairwise(edges)]
    return [count / window for count in counts]


def steadiness(series: Sequence[float], first_windows: int) -> tuple[float, float]:
    """Return (last minute, worst minute) divided by the first minute, a minute being `first_windows` windows."""
    minutes = [
        sum(series[i : i + first_windows]) / first_windows
        for i in range(0, len(series) - first_windows + 1, first_windows)
    ]
    if not minutes or not minutes[0]:
        return float("nan"), float("nan")
    return minutes[-1] / minutes[0], min(minutes) / minutes[0]
