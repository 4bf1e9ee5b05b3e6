"""What is on disk, and making it less: whole days are dropped, never single items."""

from datetime import UTC, date, datetime, timedelta

from storage.api import RetentionPolicy, StorageSize
from storage.postgres.database import Database
from storage.postgres.partitions import Partition, Partitions
from storage.postgres.tables import CATALOGUE_TABLES, ITEM_TABLES

_SIGNAL_TABLES = {"spans": ("spans", "agent_spans", "transfers", "agent_runs"), "logs": ("logs", "agent_logs")}
# How long the ids of stored batches are remembered: the journal resends within minutes.
_BATCH_DAYS = 7


class Retention:
    """Sizes, daily expiry, the disk cap and purge."""

    def __init__(self, database: Database, partitions: Partitions) -> None:
        self._database, self._partitions = database, partitions

    def size(self) -> StorageSize:
        """See `storage.api.Storage.size`."""
        partitions = self._partitions.all()
        sizes = dict.fromkeys((*ITEM_TABLES, *CATALOGUE_TABLES), 0)
        for part in partitions:
            sizes[part.table] += part.bytes
        oldest = min((part.day for part in partitions if part.table in ITEM_TABLES), default=None)
        return StorageSize(sum(sizes.values()), self._rows(), sizes, oldest.isoformat() if oldest else None)

    def enforce(self, policy: RetentionPolicy, now_unix_nano: int) -> list[str]:
        """See `storage.api.Storage.enforce_retention`. A day is over age when all of it is."""
        today = datetime.fromtimestamp(now_unix_nano // 10**9, UTC).date()
        partitions = self._partitions.all()
        over_age = [part for part in partitions if _over_age(part, policy, today)]
        kept = [part for part in partitions if part not in over_age]
        over_cap = _over_cap(kept, policy.max_bytes)
        dropped = over_age + over_cap
        used = {part.day for part in kept if part not in over_cap and part.table in ITEM_TABLES}
        dropped += [
            part for part in kept if part.table in CATALOGUE_TABLES and part.day not in used and part not in over_cap
        ]
        self._partitions.drop(dropped)
        if dropped:
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


def _over_age(partition: Partition, policy: RetentionPolicy, today: date) -> bool:
    days = {"spans": policy.spans_days, "logs": policy.logs_days}
    for signal, tables in _SIGNAL_TABLES.items():
        kept = days[signal]
        if partition.table in tables and kept is not None:
            return partition.day < today - timedelta(days=kept)
    return False


def _over_cap(kept: list[Partition], cap: int | None) -> list[Partition]:
    """Return the oldest days' partitions whose removal brings the rest under the cap."""
    if cap is None:
        return []
    total = sum(part.bytes for part in kept)
    dropped: list[Partition] = []
    for day in sorted({part.day for part in kept}):
        if total <= cap:
            break
        of_day = [part for part in kept if part.day == day]
        dropped += of_day
        total -= sum(part.bytes for part in of_day)
    return dropped
