"""How many items there are in each ten seconds: a hint that chooses search windows, so it may be a little off."""

from collections.abc import Callable, Iterator
from time import monotonic

from storage.clickhouse.engine import Engine
from storage.queries import TimeRange
from storage.windows import BUCKET_SECONDS, MAX_BUCKETS, Windows

# What the tables' sort keys start with.
_KEYS = {
    "spans": "intDiv(start_time_unix_nano, 1000000000)",
    "logs": "intDiv(event_time_unix_nano, 1000000000)",
}

_REFRESH_SECONDS = 10.0  # windows only grow too large meanwhile, by what others wrote


class Histogram(Windows):
    """Items a bucket, loaded from the table's primary index and kept up by the writer.

    Where other processes write too, it is loaded again when it is asked and was last loaded a while ago.
    """

    def __init__(self, engine: Engine, table: str) -> None:
        super().__init__()
        self._engine, self._table = engine, table
        self._loaded = 0.0

    def load(self) -> None:
        """Read the marks of the primary index: one for each 1,024 rows, so cheap at any size."""
        self._loaded = monotonic()
        sql = f"""
            SELECT intDiv(`{_KEYS[self._table]}`, {BUCKET_SECONDS}) AS bucket, sum(rows_in_granule) AS rows
            FROM {self._engine.dialect.marks(self._table)}
            GROUP BY bucket ORDER BY bucket DESC LIMIT {MAX_BUCKETS}
        """
        found = self._engine.query(sql)
        self.replace(dict(zip(found["bucket"].to_pylist(), found["rows"].to_pylist(), strict=True)))

    def rows(self, time: TimeRange) -> int:
        """See `Windows.rows`."""
        self._refresh()
        return super().rows(time)

    def windows(
        self,
        time: TimeRange,
        first: int,
        growth: int,
        *,
        oldest_first: bool = False,
        found: Callable[[], float] = lambda: 0.0,
    ) -> Iterator[TimeRange]:
        """See `Windows.windows`."""
        self._refresh()
        return super().windows(time, first, growth, oldest_first=oldest_first, found=found)

    def _refresh(self) -> None:
        if not self._engine.exclusive and monotonic() - self._loaded > _REFRESH_SECONDS:
            self.load()
