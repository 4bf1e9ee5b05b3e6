"""Rows on their way to the server: encoded run by run, through `COPY`."""

from collections.abc import Callable, Mapping, Sequence

import pyarrow as pa
from psycopg.copy import QueuedLibpqWriter

from storage.postgres.database import Connection, quoted
from storage.postgres.encoding import HEADER, TRAILER, Column, copy_stream
from storage.postgres.tables import Prepared, item_columns, plain_columns

# Rows encoded at once, a few megabytes: small enough that the server hardly waits for the first of them.
_ROWS_A_RUN = 8_192

Encode = Callable[[int, int], Mapping[str, Column]]


def copy_rows(connection: Connection, table: str, encode: Encode, rows: range) -> None:
    """Copy some rows into a table, within the connection's transaction; while some are on their way, more are encoded.

    `encode(start, count)` gives the columns of some of the rows, the same columns each time.
    """
    if not rows:
        return
    first = encode(rows.start, min(len(rows), _ROWS_A_RUN))
    with connection.cursor() as cursor:
        statement = copy_statement(table, list(first))
        with cursor.copy(statement, writer=QueuedLibpqWriter(cursor)) as copy:
            copy.write(HEADER)
            for start in rows[::_ROWS_A_RUN]:
                count = min(rows.stop - start, _ROWS_A_RUN)
                columns = first if start == rows.start else encode(start, count)
                for part in copy_stream(list(columns.values()), count):
                    copy.write(part)
            copy.write(TRAILER)


def encode_items(rows: Prepared) -> Encode:
    """Return what encodes spans or log records (and agentic ones)."""
    return lambda start, count: item_columns(rows.slice(start, count))


def encode_plain(rows: pa.Table) -> Encode:
    """Return what encodes a table whose columns are stored under their own names."""
    return lambda start, count: plain_columns(rows.slice(start, count))


def copy_statement(table: str, columns: Sequence[str]) -> bytes:
    """Return the statement that takes rows in the binary format."""
    return f"COPY {table} ({quoted(columns)}) FROM STDIN (FORMAT binary)".encode()
