"""What is on disk, and making it less: whole days are dropped, never single items."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from storage.api import RetentionPolicy, StorageSize
from storage.clickhouse.engine import Engine
from storage.clickhouse.removals import Removals
from storage.retention import ITEM_TABLES, expired

_CATALOGUE_TABLES = ("resources", "scopes", "services", "operations", "attribute_keys")
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
        self._tables = {engine.dialect.stored(table): table for table in (*ITEM_TABLES, *_CATALOGUE_TABLES)}

    def size(self) -> StorageSize:
        """See `storage.api.Storage.size`."""
        partitions = self._partitions()
        rows = dict.fromkeys(ITEM_TABLES, 0)
        sizes = dict.fromkeys((*ITEM_TABLES, *_CATALOGUE_TABLES), 0)
        for partition in partitions:
            sizes[partition.table] += partition.bytes
            if partition.table in rows:
                rows[partition.table] += partition.rows
        oldest = min((part.day for part in partitions if part.table in rows), default=None)
        return StorageSize(sum(sizes.values()), rows, sizes, oldest.isoformat() if oldest else None)

    def enforce(self, policy: RetentionPolicy, now_unix_nano: int) -> list[str]:
        """See `storage.api.Storage.enforce_retention`."""
        dropped = expired(self._partitions(), policy, now_unix_nano)
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
        self._truncate(ITEM_TABLES)

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
