"""Rows on their way to the server: encoded run by run, through `COPY`."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import pyarrow as pa
from psycopg.copy import QueuedLibpqWriter

from storage.postgres.database import Connection, quoted
from storage.postgres.encoding import HEADER, TRAILER, Column, copy_stream
from storage.postgres.tables import Prepared, item_columns, plain_columns

# Rows encoded at once: few at first, for the server waits for them; then a few megabytes.
_FIRST_RUN, _RUN = 1_024, 8_192

Encode = Callable[[int, int], Mapping[str, Column]]


def copy_rows(connection: Connection, table: str, encode: Encode, rows: range) -> None:
    """Copy some rows into a table, within the connection's transaction; while some are on their way, more are encoded.

    `encode(start, count)` gives the columns of some of the rows, the same columns each time.
    """
    if not rows:
        return
    runs = _runs(rows)
    columns = encode(rows.start, len(runs[0]))
    with connection.cursor() as cursor:
        statement = copy_statement(table, list(columns))
        with cursor.copy(statement, writer=QueuedLibpqWriter(cursor)) as copy:
            copy.write(HEADER)
            for run in runs:
                columns = columns if run is runs[0] else encode(run.start, len(run))
                for part in copy_stream(list(columns.values()), len(run)):
                    copy.write(part)
            copy.write(TRAILER)


def _runs(rows: range) -> list[range]:
    starts = [rows.start, *range(rows.start + _FIRST_RUN, rows.stop, _RUN)]
    return [range(start, end) for start, end in pairwise([*starts, rows.stop])]


def encode_items(rows: Prepared) -> Encode:
    """Return what encodes spans or log records (and agentic ones)."""
    return lambda start, count: item_columns(rows.slice(start, count))


def encode_plain(rows: pa.Table) -> Encode:
    """Return what encodes a table whose columns are stored under their own names."""
    return lambda start, count: plain_columns(rows.slice(start, count))


def copy_statement(table: str, columns: Sequence[str]) -> bytes:
    """Return the statement that takes rows in the binary format."""
    return f"COPY {table} ({quoted(columns)}) FROM STDIN (FORMAT binary)".encode()
