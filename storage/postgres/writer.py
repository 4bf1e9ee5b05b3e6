"""The write side: what items refer to first, then the batch, once."""

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pyarrow as pa

from storage.api import Batch
from storage.errors import StorageUnavailable
from storage.postgres.catalogue import Catalogue
from storage.postgres.copying import copy_rows, encode_items, encode_plain
from storage.postgres.database import Connection, Database
from storage.postgres.partitions import Partitions
from storage.postgres.tables import Prepared, chunk, one_chunk, prepare
from storage.queries import Signal
from storage.windows import BUCKET_NS, Windows

# What is shared, when it has so many rows. Never to be changed: see `_shares`.
_SHARED = ("spans", "logs")
_MIN_SHARED = 16_384
_BUCKET_BITS = 32

Shares = Mapping[str, range]


class PostgresWriter:
    """`storage.api.Writer`."""

    def __init__(
        self, database: Database, partitions: Partitions, catalogue: Catalogue, windows: Mapping[Signal, Windows]
    ) -> None:
        self._database, self._partitions, self._catalogue = database, partitions, catalogue
        self._windows = windows
        self._lock = threading.Lock()

    def write(self, batch: Batch) -> None:
        """See `storage.api.Writer.write`."""
        with self._lock:
            spans, logs, agent_logs = prepare(batch.spans), prepare(batch.logs), prepare(batch.agent_logs)
            tables: dict[str, Prepared | pa.Table] = {"spans": spans, "logs": logs}
            tables |= {"agent_spans": one_chunk(batch.agent_spans), "agent_logs": agent_logs}
            try:
                needed = {(name, day) for name, rows in tables.items() for day in _days(_plain(rows))}
                self._partitions.ensure(needed | {("histogram", day) for _, day in needed})
                items = ((Signal.TRACES, spans), (Signal.LOGS, logs), (Signal.LOGS, agent_logs))
                self._catalogue.write(items, self._partitions.ensure)
                stored = self._store(batch.id, tables)
            except StorageUnavailable:
                self.forget()  # another process may have dropped a day
                raise
            if stored:
                self._windows[Signal.TRACES].add(spans.rows.column("start_time_unix_nano"))
                self._windows[Signal.LOGS].add(logs.rows.column("event_time_unix_nano"))

    def forget(self) -> None:
        """Forget which partitions and entries are there."""
        self._partitions.forget()
        self._catalogue.forget()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Keep this process's writes out while tables are emptied."""
        with self._lock:
            yield

    def _store(self, batch_id: str, tables: Mapping[str, Prepared | pa.Table]) -> bool:
        """Store the rows of a batch unless it is stored already; tell whether they were.

        The server works on each connection with one core, so a large batch goes through two. What the second one
        takes is committed first, under an id of its own: if the rest fails, the next attempt leaves it out. Should one
        wait for the other through a third (tables that are being emptied), the lock timeout ends it.
        """
        first, second = _shares(tables)
        with self._database.transaction() as connection, ThreadPoolExecutor(1, "baton-copy") as beside:
            if not _claimed(connection, batch_id):
                return False
            other = beside.submit(self._store_share, f"{batch_id}/2", tables, second) if second else None
            _copy(connection, tables, first)
            _count(connection, tables)
            if other:
                other.result()
        return True

    def _store_share(self, share_id: str, tables: Mapping[str, Prepared | pa.Table], share: Shares) -> None:
        with self._database.transaction() as connection:
            if _claimed(connection, share_id):
                _copy(connection, tables, share)


def _shares(tables: Mapping[str, Prepared | pa.Table]) -> tuple[Shares, Shares]:
    """Return which rows go through the first and the second connection.

    The ids of half stored batches outlive the process that was to store the other half, whatever its version and
    settings: the same tables must be shared in the same way for ever. Agentic rows are not: which there are depends
    on what Baton knows of frameworks.
    """
    counts = {name: _plain(rows).num_rows for name, rows in tables.items()}
    halves = {name: counts[name] // 2 for name in _SHARED if counts[name] >= _MIN_SHARED}
    first = {name: range(halves.get(name, count)) for name, count in counts.items()}
    return first, {name: range(half, counts[name]) for name, half in halves.items()}


def _claimed(connection: Connection, share_id: str) -> bool:
    """Note that this transaction stores a share; False: it is stored already. Waits for others that store it."""
    sql = "INSERT INTO batches (id) VALUES (%s) ON CONFLICT DO NOTHING RETURNING id"
    return connection.execute(sql, (share_id,)).fetchone() is not None


def _copy(connection: Connection, tables: Mapping[str, Prepared | pa.Table], shares: Shares) -> None:
    for name, share in shares.items():
        rows = tables[name]
        copy_rows(connection, name, encode_items(rows) if isinstance(rows, Prepared) else encode_plain(rows), share)


def _count(connection: Connection, tables: Mapping[str, Prepared | pa.Table]) -> None:
    counts = [entry for name, rows in tables.items() for entry in _histogram(name, _plain(rows))]
    if counts:
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO histogram (day, signal, bucket, items)"
                " VALUES (DATE '1970-01-01' + %s::integer, %s, %s, %s)",
                counts,
            )


def _plain(rows: Prepared | pa.Table) -> pa.Table:
    return rows.rows if isinstance(rows, Prepared) else rows


def _days(rows: pa.Table) -> list[int]:
    found: list[int] = np.unique(chunk(rows, "day").view(pa.int32()).to_numpy()).tolist()
    return found


def _histogram(table: str, rows: pa.Table) -> list[tuple[int, str, int, int]]:
    """Return (day, table, bucket of ten seconds, rows); agent tables are counted by day alone."""
    if not rows.num_rows:
        return []
    days = chunk(rows, "day").view(pa.int32()).to_numpy().astype(np.int64)
    name = {"spans": "start_time_unix_nano", "logs": "event_time_unix_nano"}.get(table)
    buckets = np.zeros(len(days), np.int64)
    if name:
        buckets = (chunk(rows, name).to_numpy() // np.uint64(BUCKET_NS)).astype(np.int64)
    # One number a pair (buckets of 64-bit nanoseconds have 31 bits): sorting real pairs costs fifty times as much.
    pairs, counts = np.unique(days << _BUCKET_BITS | buckets, return_counts=True)
    return [
        (pair >> _BUCKET_BITS, table, pair & (1 << _BUCKET_BITS) - 1, count)
        for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True)
    ]
