"""How many items there are in each ten seconds: a hint that chooses search windows, so it may be a little off."""

from storage.clickhouse.engine import Engine
from storage.windows import BUCKET_SECONDS, MAX_BUCKETS, Windows

# What the tables' sort keys start with.
_KEYS = {
    "spans": "intDiv(start_time_unix_nano, 1000000000)",
    "logs": "intDiv(event_time_unix_nano, 1000000000)",
}


class Histogram(Windows):
    """Items a bucket, loaded from the table's primary index and kept up by the writer."""

    def __init__(self, engine: Engine, table: str) -> None:
        super().__init__()
        self._engine, self._table = engine, table

    def load(self) -> None:
        """Read the marks of the primary index: one for each 1,024 rows, so cheap at any size."""
        sql = f"""
            SELECT intDiv(`{_KEYS[self._table]}`, {BUCKET_SECONDS}) AS bucket, sum(rows_in_granule) AS rows
            FROM mergeTreeIndex(currentDatabase(), {self._table})
            GROUP BY bucket ORDER BY bucket DESC LIMIT {MAX_BUCKETS}
        """
        found = self._engine.query(sql)
        self.replace(dict(zip(found["bucket"].to_pylist(), found["rows"].to_pylist(), strict=True)))
