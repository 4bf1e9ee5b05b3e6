"""The search windows' counts, read from the `histogram` table."""

from storage.postgres.database import Database
from storage.windows import MAX_BUCKETS, Windows


class Histogram(Windows):
    """Items a bucket of one table, kept up by the writer; other processes' writes are seen with the next `load`."""

    def __init__(self, database: Database, table: str) -> None:
        super().__init__()
        self._database, self._table = database, table

    def load(self) -> None:
        """Read what is stored."""
        rows = self._database.query(
            f"""
            SELECT bucket, sum(items)::bigint FROM histogram WHERE signal = %(table)s
            GROUP BY bucket ORDER BY bucket DESC LIMIT {MAX_BUCKETS}
            """,
            {"table": self._table},
        )
        self.replace(dict(rows))
