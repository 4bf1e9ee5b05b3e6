"""How many items there are in each ten seconds: a hint that chooses search windows, so it may be a little off."""

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
_MARGIN = 1.5  # over the number of items that should do, because matches are not spread evenly


class Windows:
    """Items a bucket, kept up by the writer. Thread-safe."""

    def __init__(self) -> None:
        self._rows: dict[int, int] = {}
        self._order: list[int] = []
        self._lock = threading.Lock()

    def replace(self, rows: Mapping[int, int]) -> None:
        """Take what an engine counted instead of what is known."""
        with self._lock:
            self._rows = dict(rows)
            self._order = sorted(self._rows)

    def add(self, times: pa.ChunkedArray) -> None:
        """Count new items by their times."""
        if len(times) == 0:
            return
        buckets, counts = np.unique(times.to_numpy() // np.uint64(BUCKET_NS), return_counts=True)
        with self._lock:
            for bucket, count in zip(buckets.tolist(), counts.tolist(), strict=True):
                if bucket not in self._rows:
                    insort(self._order, bucket)
                    self._rows[bucket] = 0
                self._rows[bucket] += count
            while len(self._order) > MAX_BUCKETS:
                del self._rows[self._order.pop(0)]

    def clear(self) -> None:
        """Forget everything (the table was emptied)."""
        with self._lock:
            self._rows.clear()
            self._order.clear()

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
            if counted + rows < target:
                counted += rows
                continue
            for second in range(BUCKET_SECONDS):  # rows are taken to be spread evenly over the bucket
                counted += rows / BUCKET_SECONDS
                offset = second + 1 if oldest_first else BUCKET_SECONDS - 1 - second
                cut = bucket * BUCKET_NS + offset * SECOND_NS
                if counted >= target and time.start < cut < time.end:
                    yield TimeRange(edge, cut) if oldest_first else TimeRange(cut, edge)
                    seen += counted
                    edge, counted, target = cut, 0.0, _next_target(target * growth, first, seen, found())
        if oldest_first and edge < time.end:
            yield TimeRange(edge, time.end)
        if not oldest_first and edge > time.start:
            yield TimeRange(time.start, edge)

    def _within(self, time: TimeRange) -> list[tuple[int, int]]:
        with self._lock:
            low = bisect_left(self._order, time.start // BUCKET_NS)
            high = bisect_left(self._order, -(-time.end // BUCKET_NS))
            return [(bucket, self._rows[bucket]) for bucket in self._order[low:high]]


def _next_target(most: float, least: float, seen: float, found: float) -> float:
    if found <= 0:
        return most
    return min(most, max(least, seen * (1 - found) / found * _MARGIN))
