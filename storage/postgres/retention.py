"""What is on disk, and making it less: whole days are dropped, never single items."""

from storage.api import RetentionPolicy, StorageSize
from storage.postgres.database import Database
from storage.postgres.partitions import Partitions
from storage.postgres.tables import TABLES
from storage.retention import ITEM_TABLES, expired

# How long the ids of stored batches are remembered: the journal resends within minutes.
_BATCH_DAYS = 7


class Retention:
    """Sizes, daily expiry, the disk cap and purge."""

    def __init__(self, database: Database, partitions: Partitions) -> None:
        self._database, self._partitions = database, partitions

    def size(self) -> StorageSize:
        """See `storage.api.Storage.size`."""
        partitions = self._partitions.all()
        sizes = dict.fromkeys(TABLES, 0)
        for part in partitions:
            sizes[part.table] += part.bytes
        oldest = min((part.day for part in partitions if part.table in ITEM_TABLES), default=None)
        return StorageSize(sum(sizes.values()), self._rows(), sizes, oldest.isoformat() if oldest else None)

    def enforce(self, policy: RetentionPolicy, now_unix_nano: int) -> list[str]:
        """See `storage.api.Storage.enforce_retention`."""
        dropped = expired(self._partitions.all(), policy, now_unix_nano)
        self._partitions.drop(dropped)
        self._database.execute(f"DELETE FROM batches WHERE written_at < now() - interval '{_BATCH_DAYS} days'")
        return [part.label for part in dropped]

    def purge(self) -> None:
        """Drop every day."""
        self._partitions.drop_all()

    def _rows(self) -> dict[str, int]:
        """Return the rows of each table: counted as they were written where that can be many."""
        counted = self._database.query(
            """
            SELECT h.signal, sum(h.items)::bigint FROM histogram AS h GROUP BY h.signal
            UNION ALL SELECT 'transfers', count(*) FROM transfers
            UNION ALL SELECT 'agent_runs', count(*) FROM agent_runs
            """
        )
        return dict.fromkeys(ITEM_TABLES, 0) | {name.decode(): rows for name, rows in counted}
