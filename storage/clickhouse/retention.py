"""What is on disk, and making it less: whole days are dropped, never single items."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from storage.api import RetentionPolicy, StorageSize
from storage.clickhouse.engine import Engine
from storage.clickhouse.removals import Removals

_ITEM_TABLES = ("spans", "logs", "agent_spans", "agent_logs", "transfers", "agent_runs")
_CATALOGUE_TABLES = ("resources", "scopes", "services", "operations", "attribute_keys")
_SIGNAL_TABLES = {"spans": ("spans", "agent_spans", "transfers", "agent_runs"), "logs": ("logs", "agent_logs")}
_GONE_TIMEOUT_SECONDS, _GONE_POLL_SECONDS = 30.0, 0.3


@dataclass(frozen=True, slots=True)
class _Partition:
    table: str
    day: date
    id: str
    rows: int
    bytes: int

    @property
    def label(self) -> str:
        return f"{self.table}/{self.day.isoformat()}"


class Retention:
    """Sizes, daily expiry, the disk cap and purge."""

    def __init__(self, engine: Engine, removals: Removals) -> None:
        self._engine, self._dialect, self._removals = engine, engine.dialect, removals
        self._tables = {engine.dialect.stored(table): table for table in (*_ITEM_TABLES, *_CATALOGUE_TABLES)}

    def size(self) -> StorageSize:
        """See `storage.api.Storage.size`."""
        partitions = self._partitions()
        rows = dict.fromkeys(_ITEM_TABLES, 0)
        sizes = dict.fromkeys((*_ITEM_TABLES, *_CATALOGUE_TABLES), 0)
        for partition in partitions:
            sizes[partition.table] += partition.bytes
            if partition.table in rows:
                rows[partition.table] += partition.rows
        oldest = min((part.day for part in partitions if part.table in rows), default=None)
        return StorageSize(sum(sizes.values()), rows, sizes, oldest.isoformat() if oldest else None)

    def enforce(self, policy: RetentionPolicy, now_unix_nano: int) -> list[str]:
        """See `storage.api.Storage.enforce_retention`. A day is over age when all of it is."""
        today = datetime.fromtimestamp(now_unix_nano // 10**9, UTC).date()
        partitions = self._partitions()
        over_age = [part for part in partitions if _over_age(part, policy, today)]
        kept = [part for part in partitions if part not in over_age]
        over_cap = _over_cap(kept, policy.max_bytes)
        dropped = over_age + over_cap
        kept = [part for part in kept if part not in over_cap]
        used = {part.day for part in kept if part.table in _ITEM_TABLES}
        dropped += [part for part in kept if part.table in _CATALOGUE_TABLES and part.day not in used]
        for partition in dropped:
            self._drop(partition)
        if dropped:
            self._removals.note()
        self._wait_until_gone(dropped)
        return [partition.label for partition in dropped]

    def purge(self) -> None:
        """Empty every table of what items refer to, then of items.

        The note is in between: a process that wrote items after the end of this, referring to what is gone, reads the
        note when it has written them (see `ClickHouseWriter`).
        """
        self._truncate(_CATALOGUE_TABLES)
        self._removals.note()
        self._truncate(_ITEM_TABLES)

    def _truncate(self, tables: Iterable[str]) -> None:
        for table in tables:
            self._engine.command(f"TRUNCATE TABLE {self._dialect.altered(table)}")

    def _partitions(self) -> list[_Partition]:
        rows = self._engine.query(
            f"""
            SELECT table, partition, partition_id, sum(rows) AS rows, sum(bytes_on_disk) AS bytes
            FROM {self._dialect.system("parts")}
            WHERE active AND database = {self._dialect.database} GROUP BY ALL ORDER BY partition, table
            """
        )
        found = []
        for row in rows.to_pylist():
            table = self._tables.get(row["table"].decode())
            if table is not None:
                day = date.fromisoformat(row["partition"].decode())
                found.append(_Partition(table, day, row["partition_id"].decode(), row["rows"], row["bytes"]))
        return found

    def _drop(self, partition: _Partition) -> None:
        self._engine.command(f"ALTER TABLE {self._dialect.altered(partition.table)} DROP PARTITION ID '{partition.id}'")

    def _wait_until_gone(self, dropped: list[_Partition]) -> None:
        """Wait until the files are deleted: parts merged away within the last second outlive the first drop.

        A query that is still reading a part keeps it; after half a minute its end is not waited for.
        """
        deadline = time.monotonic() + _GONE_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            left = [partition for partition in dropped if self._has_files(partition)]
            if not left:
                return
            time.sleep(_GONE_POLL_SECONDS)
            for partition in left:
                self._drop(partition)  # the engine cleans up when it drops, and otherwise when it gets round to it

    def _has_files(self, partition: _Partition) -> bool:
        rows = self._engine.query(
            f"""
            SELECT count() AS parts FROM {self._dialect.system("parts")}
            WHERE database = {self._dialect.database} AND rows > 0
                AND table = '{self._dialect.stored(partition.table)}' AND partition_id = '{partition.id}'
            """
        )
        return bool(rows["parts"][0].as_py())


def _over_age(partition: _Partition, policy: RetentionPolicy, today: date) -> bool:
    days = {"spans": policy.spans_days, "logs": policy.logs_days}
    for signal, tables in _SIGNAL_TABLES.items():
        kept = days[signal]
        if partition.table in tables and kept is not None:
            return partition.day < today - timedelta(days=kept)
    return False


def _over_cap(kept: list[_Partition], cap: int | None) -> list[_Partition]:
    """Return the oldest days' partitions whose removal brings the rest under the cap."""
    if cap is None:
        return []
    total = sum(part.bytes for part in kept)
    dropped: list[_Partition] = []
    for day in sorted({part.day for part in kept}):
        if total <= cap:
            break
        of_day = [part for part in kept if part.day == day]
        dropped += of_day
        total -= sum(part.bytes for part in of_day)
    return dropped
