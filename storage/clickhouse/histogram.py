"""How many items there are in each ten seconds: a hint that chooses search windows, so it may be a little off."""

import threading
from bisect import bisect_left, insort
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from storage.api import TimeRange
from storage.clickhouse.engine import Engine

_SECOND_NS = 10**9  # what the tables' sort keys start with
_BUCKET_SECONDS = 10
BUCKET_NS = _BUCKET_SECONDS * _SECOND_NS
_MAX_BUCKETS = 200_000
_KEYS = {
    "spans": "intDiv(start_time_unix_nano, 1000000000)",
    "logs": "intDiv(event_time_unix_nano, 1000000000)",
}


class Histogram:
    """Items a bucket, loaded from the table's primary index and kept up by the writer."""

    def __init__(self, engine: Engine, table: str) -> None:
        self._engine, self._table = engine, table
        self._rows: dict[int, int] = {}
        self._order: list[int] = []
        self._lock = threading.Lock()

    def load(self) -> None:
        """Read the marks of the primary index: one for each 1,024 rows, so cheap at any size."""
        sql = f"""
            SELECT intDiv(`{_KEYS[self._table]}`, {_BUCKET_SECONDS}) AS bucket, sum(rows_in_granule) AS rows
            FROM mergeTreeIndex(currentDatabase(), {self._table})
            GROUP BY bucket ORDER BY bucket DESC LIMIT {_MAX_BUCKETS}
        """
        found = self._engine.query(sql)
        with self._lock:
            self._rows = dict(zip(found["bucket"].to_pylist(), found["rows"].to_pylist(), strict=True))
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
            while len(self._order) > _MAX_BUCKETS:
                del self._rows[self._order.pop(0)]

    def clear(self) -> None:
        """Forget everything (the table was emptied)."""
        with self._lock:
            self._rows.clear()
            self._order.clear()

    def rows(self, time: TimeRange) -> int:
        """Return about how many items start in a range."""
        return sum(count for _, count in self._within(time))

    def windows(self, time: TimeRange, first: int, growth: int, *, oldest_first: bool = False) -> Iterator[TimeRange]:
        """Yield adjoining ranges that cover `time`: about `first` items, then `growth` times as many, and so on."""
        buckets = self._within(time)
        edge, counted, target = (time.start if oldest_first else time.end), 0.0, first
        for bucket, rows in buckets if oldest_first else reversed(buckets):
            if counted + rows < target:
                counted += rows
                continue
            for second in range(_BUCKET_SECONDS):  # rows are taken to be spread evenly over the bucket
                counted += rows / _BUCKET_SECONDS
                offset = second + 1 if oldest_first else _BUCKET_SECONDS - 1 - second
                cut = bucket * BUCKET_NS + offset * _SECOND_NS
                if counted >= target and time.start < cut < time.end:
                    yield TimeRange(edge, cut) if oldest_first else TimeRange(cut, edge)
                    edge, counted, target = cut, 0.0, target * growth
        if oldest_first and edge < time.end:
            yield TimeRange(edge, time.end)
        if not oldest_first and edge > time.start:
            yield TimeRange(time.start, edge)

    def _within(self, time: TimeRange) -> list[tuple[int, int]]:
        with self._lock:
            low = bisect_left(self._order, time.start // BUCKET_NS)
            high = bisect_left(self._order, -(-time.end // BUCKET_NS))
            return [(bucket, self._rows[bucket]) for bucket in self._order[low:high]]
