"""How many items there are in each ten seconds: a hint that chooses search windows, so it may be a little off.

For the newest ten minutes it knows each second: under load the last bucket has hardly begun, and a second of it holds
as many items as an hour elsewhere.
"""

import threading
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pyarrow as pa

from storage.queries import TimeRange

SECOND_NS = 10**9
BUCKET_SECONDS = 10
BUCKET_NS = BUCKET_SECONDS * SECOND_NS
MAX_BUCKETS = 200_000
_DETAILED_BUCKETS = 60
_MARGIN = 1.5  # over the number of items that should do, because matches are not spread evenly


class Windows:
    """Items a bucket, kept up by the writer. Thread-safe."""

    def __init__(self) -> None:
        self._rows: dict[int, int] = {}
        self._order: list[int] = []
        self._seconds: dict[int, list[int]] = {}  # of what was added, not of what an engine counted
        self._lock = threading.Lock()

    def replace(self, rows: Mapping[int, int]) -> None:
        """Take what an engine counted instead of what is known."""
        with self._lock:
            self._rows = dict(rows)
            self._order = sorted(self._rows)
            self._seconds = {bucket: counts for bucket, counts in self._seconds.items() if bucket in self._rows}

    def add(self, times: pa.ChunkedArray) -> None:
        """Count new items by their times."""
        if len(times) == 0:
            return
        seconds, counts = np.unique(times.to_numpy() // np.uint64(SECOND_NS), return_counts=True)
        with self._lock:
            for second, count in zip(seconds.tolist(), counts.tolist(), strict=True):
                bucket, place = divmod(second, BUCKET_SECONDS)
                if bucket not in self._rows:
                    insort(self._order, bucket)
                    self._rows[bucket] = 0
                self._rows[bucket] += count
                self._seconds.setdefault(bucket, [0] * BUCKET_SECONDS)[place] += count
            while len(self._order) > MAX_BUCKETS:
                del self._rows[self._order.pop(0)]
            while len(self._seconds) > _DETAILED_BUCKETS:
                del self._seconds[min(self._seconds)]

    def clear(self) -> None:
        """Forget everything (the table was emptied)."""
        with self._lock:
            self._rows.clear()
            self._order.clear()
            self._seconds.clear()

    def rows(self, time: TimeRange) -> int:
        """Return about how many items start in a range."""
        return sum(count for _, count in self._within(time))

    def used(self, slot_ns: int, time: TimeRange) -> dict[int, int]:
        """Return about how many items start in each slot (a whole number of buckets) that has any."""
        found: dict[int, int] = {}
        for bucket, rows in self._within(time):
            slot = bucket * BUCKET_NS // slot_ns
            found[slot] = found.get(slot, 0) + rows
        return found

    def windows(
        self,
        time: TimeRange,
        first: int,
        growth: int,
        *,
        oldest_first: bool = False,
        found: Callable[[], float] = lambda: 0.0,
    ) -> Iterator[TimeRange]:
        """Yield adjoining ranges that cover `time`: about `first` items, then `growth` times as many, and so on.

        `found` tells which share of what is wanted the ranges so far have brought: the next one is only as large as
        it takes to bring the rest at that rate, and some more.
        """
        buckets = self._within(time)
        edge, counted, seen = (time.start if oldest_first else time.end), 0.0, 0.0
        target: float = first
        for bucket, rows in buckets if oldest_first else reversed(buckets):
            spread = self._spread(bucket, rows, time)
            if counted + sum(spread) < target:
                counted += sum(spread)
                continue
            for second in range(BUCKET_SECONDS) if oldest_first else reversed(range(BUCKET_SECONDS)):
                counted += spread[second]
                cut = bucket * BUCKET_NS + (second + 1 if oldest_first else second) * SECOND_NS
                if counted >= target and time.start < cut < time.end:
                    yield TimeRange(edge, cut) if oldest_first else TimeRange(cut, edge)
                    seen += counted
                    edge, counted, target = cut, 0.0, _next_target(target * growth, first, seen, found())
        if oldest_first and edge < time.end:
            yield TimeRange(edge, time.end)
        if not oldest_first and edge > time.start:
            yield TimeRange(time.start, edge)

    def _spread(self, bucket: int, rows: int, time: TimeRange) -> list[float]:
        """Return about how many items of a range start in each second of a bucket; evenly where that is not known."""
        with self._lock:
            known = list(self._seconds.get(bucket, ()))
        weights = known if any(known) else [1] * BUCKET_SECONDS
        share = rows / sum(weights)
        starts = range(bucket * BUCKET_NS, (bucket + 1) * BUCKET_NS, SECOND_NS)
        return [
            share * weight if time.start - SECOND_NS < start < time.end else 0.0
            for start, weight in zip(starts, weights, strict=True)
        ]

    def _within(self, time: TimeRange) -> list[tuple[int, int]]:
        with self._lock:
            low = bisect_left(self._order, time.start // BUCKET_NS)
            high = bisect_left(self._order, -(-time.end // BUCKET_NS))
            return [(bucket, self._rows[bucket]) for bucket in self._order[low:high]]


def _next_target(most: float, least: float, seen: float, found: float) -> float:
    if found <= 0:
        return most
    return min(most, max(least, seen * (1 - found) / found * _MARGIN))
