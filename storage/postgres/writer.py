"""The write side: what items refer to first, then the batch in one transaction: all of it or nothing, once."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import pyarrow as pa

from storage.api import Batch, Signal
from storage.errors import StorageUnavailable
from storage.postgres.catalogue import Catalogue
from storage.postgres.database import Connection, Database, quoted
from storage.postgres.encoding import HEADER, TRAILER, Column, copy_stream
from storage.postgres.partitions import Partitions
from storage.postgres.tables import Prepared, chunk, item_columns, one_chunk, plain_columns, prepare
from storage.windows import BUCKET_NS, Windows


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
            agent_spans = one_chunk(batch.agent_spans)
            tables = {"spans": spans.rows, "logs": logs.rows}
            tables |= {"agent_spans": agent_spans, "agent_logs": agent_logs.rows}
            try:
                needed = {(name, day) for name, rows in tables.items() for day in _days(rows)}
                self._partitions.ensure(needed | {("histogram", day) for _, day in needed})
                items = ((Signal.TRACES, spans), (Signal.LOGS, logs), (Signal.LOGS, agent_logs))
                self._catalogue.write(items, self._partitions.ensure)
                stored = self._store(batch.id, tables, {"spans": spans, "logs": logs, "agent_logs": agent_logs})
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

    def _store(self, batch_id: str, tables: Mapping[str, pa.Table], prepared: Mapping[str, Prepared]) -> bool:
        """Store the rows of a batch unless it is stored already; tell whether they were."""
        encoded = {
            name: item_columns(prepared[name]) if name in prepared else plain_columns(rows)
            for name, rows in tables.items()
            if rows.num_rows
        }
        counts = [entry for name, rows in tables.items() for entry in _histogram(name, rows)]
        with self._database.transaction() as connection:
            found = connection.execute(
                "INSERT INTO batches (id) VALUES (%s) ON CONFLICT DO NOTHING RETURNING id", (batch_id,)
            ).fetchone()
            if found is None:
                return False
            for name, columns in encoded.items():
                copy_rows(connection, name, columns, tables[name].num_rows)
            if counts:
                with connection.cursor() as cursor:
                    cursor.executemany(
                        "INSERT INTO histogram (day, signal, bucket, items)"
                        " VALUES (DATE '1970-01-01' + %s::integer, %s, %s, %s)",
                        counts,
                    )
        return True


def copy_rows(connection: Connection, table: str, columns: Mapping[str, Column], rows: int) -> None:
    """Copy encoded rows into a table, within the connection's transaction."""
    statement = f"COPY {table} ({quoted(list(columns))}) FROM STDIN (FORMAT binary)"
    with connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        copy.write(HEADER)
        for part in copy_stream(list(columns.values()), rows):
            copy.write(part)
        copy.write(TRAILER)


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
    pairs, counts = np.unique(np.stack([days, buckets], axis=1), axis=0, return_counts=True)
    return [(day, table, bucket, count) for (day, bucket), count in zip(pairs.tolist(), counts.tolist(), strict=True)]
