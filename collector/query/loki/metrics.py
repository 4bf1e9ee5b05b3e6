"""Counts over time: the log volume that Grafana draws, and `rate`."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from collector.query.loki.entries import find_entries
from collector.query.loki.errors import TooManyPoints, TooManyRecords, TooManySeries
from collector.query.loki.labels import DETECTED_LEVEL, LEVEL, SERVICE, Labels, level_of
from collector.query.loki.plan import Plan, plan
from collector.query.loki.syntax import Metric, Pick
from storage.api import LogReader, Storage
from storage.queries import TimeRange

MAX_POINTS = 11_000  # of one series, as in Prometheus
MAX_SERIES = 500  # as in Loki
MAX_CELLS = 2_000_000  # points of all series, about 150 bytes each in the answer
MAX_SERVICES = 2_000  # that storage is asked for one by one
MAX_COUNTED = 100_000  # records that are counted one by one, when storage cannot group them

_SECOND = 10**9
_LEVELS = frozenset({LEVEL, DETECTED_LEVEL})

_Group: TypeAlias = "tuple[tuple[str, str], ...]"
_Count: TypeAlias = "tuple[_Group, int, int]"  # the group, when, how many


@dataclass(frozen=True, slots=True)
class Steps:
    """Points in time: `first`, `first + step` … until `last`, in nanoseconds."""

    first: int
    last: int
    step: int

    @classmethod
    def aligned(cls, time: TimeRange, step: int) -> "Steps":
        """Return the multiples of the step within the range, both ends included. Raises: TooManyPoints."""
        if (time.end - time.start) // step > MAX_POINTS:
            raise TooManyPoints(f"more than {MAX_POINTS} points a series; choose a longer step or a shorter time")
        first = -(-time.start // step) * step
        return cls(first, max(first, time.end // step * step), step)

    @property
    def count(self) -> int:
        """How many there are."""
        return (self.last - self.first) // self.step + 1


def matrix(storage: Storage, metric: Metric, steps: Steps) -> list[dict[str, Any]]:
    """Return the series of a range query: at each point the count of the range before it; empty points are left out."""
    size = math.gcd(steps.step, metric.range_ns)
    first_bucket = (steps.first - metric.range_ns) // size
    buckets = steps.last // size - first_bucket
    if buckets > 10 * MAX_POINTS:
        raise TooManyPoints("the range and the step have no common divisor that is long enough; make them equal")
    counted: dict[_Group, npt.NDArray[np.int64]] = {}
    time = TimeRange(max(steps.first - metric.range_ns, 0), max(steps.last, 1))
    for group, when, count in _counts(storage, metric, time, size):
        series = counted.get(group)
        if series is None:
            _check_size(len(counted) + 1, buckets)
            series = counted[group] = np.zeros(buckets + 1, np.int64)
        series[when // size - first_bucket + 1] += count
    # In buckets, because times in nanoseconds can be larger than NumPy's integers.
    ends = steps.first // size - first_bucket + np.arange(steps.count) * (steps.step // size)
    width = metric.range_ns // size
    return [
        {"metric": dict(group), "values": _values(metric, steps, np.cumsum(series), ends, width)}
        for group, series in sorted(counted.items())
    ]


def vector(storage: Storage, metric: Metric, at: int) -> list[dict[str, Any]]:
    """Return the samples of an instant query: the counts of the range before `at`."""
    time = TimeRange(max(at - metric.range_ns, 0), max(at, 1))
    totals: dict[_Group, int] = {}
    for group, _, count in _counts(storage, metric, time, metric.range_ns):
        totals[group] = totals.get(group, 0) + count
        _check_size(len(totals), 1)
    return [
        {"metric": dict(group), "value": [at / _SECOND, _sample(metric, count)]}
        for group, count in sorted(totals.items())
    ]


def _check_size(series: int, points: int) -> None:
    """Raise TooManySeries when so many are too many with so many points each."""
    if series > MAX_SERIES or series * points > MAX_CELLS:
        raise TooManySeries(
            f"more than {min(MAX_SERIES, MAX_CELLS // points)} series; sum by fewer labels, or choose a longer step"
        )


def _values(
    metric: Metric, steps: Steps, sums: npt.NDArray[np.int64], ends: npt.NDArray[np.int64], width: int
) -> list[list[Any]]:
    counts = sums[ends] - sums[ends - width]
    found = np.flatnonzero(counts)
    return [
        [(steps.first + number * steps.step) / _SECOND, _sample(metric, count)]
        for number, count in zip(found.tolist(), counts[found].tolist(), strict=True)
    ]


def _sample(metric: Metric, count: int) -> str:
    return str(count) if metric.function == "count_over_time" else repr(count / (metric.range_ns / _SECOND))


def _counts(storage: Storage, metric: Metric, time: TimeRange, size: int) -> Iterator[_Count]:
    """Yield counts by group; times within a bucket of `size` need not be exact."""
    wanted = plan(metric.selection, storage)
    harmless = all(isinstance(stage, Pick) and not _touches(stage, metric.by or ()) for stage in wanted.rest)
    if metric.by is None or not harmless or not _LEVELS.union({SERVICE}).issuperset(metric.by):
        return _counted(storage, wanted, metric.by, time)
    return _grouped(storage, wanted, metric.by, time, size)


def _touches(stage: Pick, names: Iterable[str]) -> bool:
    return any((name in stage.names) == stage.drops for name in names)


def _grouped(storage: Storage, wanted: Plan, by: tuple[str, ...], time: TimeRange, size: int) -> Iterator[_Count]:
    """Let storage count: it groups by time and severity, so services are asked one by one."""
    services: Sequence[str | None] = [wanted.service_name]
    if SERVICE in by and wanted.service_name is None:
        services = storage.services()
    if len(services) > MAX_SERVICES:
        raise TooManySeries(f"more than {MAX_SERVICES} services; name one, or some in the selection")
    for service in services:
        query = Plan(wanted.filter, service, wanted.trace_id, ()).query(time, 1)
        for when, severity, count in storage.count_logs(query, size):
            labels = {LEVEL: level_of(severity), DETECTED_LEVEL: level_of(severity), SERVICE: service or ""}
            yield _group(labels, by), when, count


def _counted(storage: LogReader, wanted: Plan, by: tuple[str, ...] | None, time: TimeRange) -> Iterator[_Count]:
    """Count records one by one. Raises: TooManyRecords."""
    found = find_entries(storage, wanted, time, MAX_COUNTED + 1, oldest_first=False)
    for number, entry in enumerate(found):
        if number == MAX_COUNTED:
            raise TooManyRecords(
                f"more than {MAX_COUNTED} records to count one by one; sum by (level, detected_level, service_name), "
                "or narrow the selection"
            )
        labels = entry.labels
        yield _group(labels, labels if by is None else by), entry.time_unix_nano, 1


def _group(labels: Labels, by: Iterable[str]) -> _Group:
    return tuple(sorted((name, labels[name]) for name in by if labels.get(name)))
