"""The write side: what items refer to first, then the batch in one transaction: all of it or nothing, once."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
from psycopg.copy import QueuedLibpqWriter

from storage.api import Batch
from storage.errors import StorageUnavailable
from storage.postgres.catalogue import Catalogue
from storage.postgres.database import Connection, Database, quoted
from storage.postgres.encoding import HEADER, TRAILER, Column, copy_stream
from storage.postgres.partitions import Partitions
from storage.postgres.tables import Prepared, chunk, item_columns, one_chunk, plain_columns, prepare
from storage.queries import Signal
from storage.windows import BUCKET_NS, Windows

# Rows encoded at once, a few megabytes: small enough that the server hardly waits for the first of them.
_ROWS_A_RUN = 8_192
_BUCKET_BITS = 32

Encode = Callable[[int, int], Mapping[str, Column]]


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
        counts = [entry for name, rows in tables.items() for entry in _histogram(name, rows)]
        with self._database.transaction() as connection:
            found = connection.execute(
                "INSERT INTO batches (id) VALUES (%s) ON CONFLICT DO NOTHING RETURNING id", (batch_id,)
            ).fetchone()
            if found is None:
                return False
            for name, rows in tables.items():
                copy_rows(connection, name, _encoded(prepared.get(name) or rows), rows.num_rows)
            if counts:
                with connection.cursor() as cursor:
                    cursor.executemany(
                        "INSERT INTO histogram (day, signal, bucket, items)"
                        " VALUES (DATE '1970-01-01' + %s::integer, %s, %s, %s)",
                        counts,
                    )
        return True


def copy_rows(connection: Connection, table: str, encode: Encode, rows: int) -> None:
    """Copy rows into a table, within the connection's transaction; while some are on their way, more are encoded.

    `encode(start, count)` gives the columns of a run of rows, the same columns each time.
    """
    if not rows:
        return
    first = encode(0, min(rows, _ROWS_A_RUN))
    with connection.cursor() as cursor:
        statement = copy_statement(table, list(first))
        with cursor.copy(statement, writer=QueuedLibpqWriter(cursor)) as copy:
            copy.write(HEADER)
            for start in range(0, rows, _ROWS_A_RUN):
                count = min(rows - start, _ROWS_A_RUN)
                columns = encode(start, count) if start else first
                for part in copy_stream(list(columns.values()), count):
                    copy.write(part)
            copy.write(TRAILER)


def encode_plain(rows: pa.Table) -> Encode:
    """Return what encodes a table whose columns are stored under their own names."""
    return lambda start, count: plain_columns(rows.slice(start, count))


def _encoded(rows: Prepared | pa.Table) -> Encode:
    if isinstance(rows, Prepared):
        return lambda start, count: item_columns(rows.slice(start, count))
    return encode_plain(rows)


def copy_statement(table: str, columns: Sequence[str]) -> bytes:
    """Return the statement that takes rows in the binary format."""
    return f"COPY {table} ({quoted(columns)}) FROM STDIN (FORMAT binary)".encode()


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
