"""Whole tables, read in slices of time: see `storage.bulk`."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

import pyarrow as pa

from storage.bulk import SCHEMAS, STEP_NS, TIMES, ItemTable
from storage.postgres.bindings import Bindings, time_sql
from storage.postgres.database import Database, quoted
from storage.postgres.decoding import Decoder, plain_table, stored_columns
from storage.postgres.texts import escape_text
from storage.queries import TimeRange
from storage.schemas import AGENT_RUNS, TRANSFERS

_EPOCH = date(1970, 1, 1)
_SHIFT = STEP_NS.bit_length() - 1
_ZERO = 1 << (63 - _SHIFT)  # the step of a time that is stored as 0


class BulkTables:
    """`storage.bulk.BulkReader` over PostgreSQL."""

    def __init__(self, database: Database, decoder: Decoder) -> None:
        self._database, self._decoder = database, decoder

    def count_days(self, table: ItemTable) -> dict[date, int]:
        """See `BulkReader.count_days`."""
        sql = f"SELECT day - DATE '1970-01-01', count(*) FROM {table.value} GROUP BY day ORDER BY day"
        pages = self._database.pages(sql)
        return {_EPOCH + timedelta(days=day): rows for page in pages for day, rows in page}

    def count_steps(self, table: ItemTable, day: date) -> list[tuple[int, int]]:
        """See `BulkReader.count_steps`."""
        sql = f"""
            SELECT {TIMES[table]} >> {_SHIFT} AS step, count(*) FROM {table.value} WHERE day = %(day)s
            GROUP BY step ORDER BY step
        """
        pages = self._database.pages(sql, {"day": day})
        return [((step + _ZERO) * STEP_NS, rows) for page in pages for step, rows in page]

    def read_slice(self, table: ItemTable, day: date, time: TimeRange) -> Iterator[pa.Table]:
        """See `BulkReader.read_slice`."""
        bindings = Bindings()
        schema = SCHEMAS[table]
        names = schema.names if table is ItemTable.AGENT_SPANS else stored_columns(schema.names)
        sql = f"""
            SELECT {quoted(names)} FROM {table.value}
            WHERE day = %(day)s AND {time_sql(TIMES[table], time, bindings)}
        """
        decode = plain_table if table is ItemTable.AGENT_SPANS else self._decoder.table
        for page in self._database.pages(sql, {"day": day, **bindings.parameters}):
            yield decode(page, schema)

    def agent_group_keys(self, after: str, limit: int) -> list[str]:
        """See `BulkReader.agent_group_keys`."""
        sql = f"""
            SELECT group_key FROM transfers WHERE group_key > %(after)s
            UNION SELECT group_key FROM agent_runs WHERE group_key > %(after)s ORDER BY 1 LIMIT {int(limit)}
        """
        pages = self._database.pages(sql, {"after": escape_text(after)})
        keys = plain_table([row for page in pages for row in page], pa.schema([TRANSFERS.field("group_key")]))
        found: list[str] = keys["group_key"].to_pylist()
        return found

    def agent_group_rows(self, group_keys: Sequence[str]) -> tuple[pa.Table, pa.Table]:
        """See `BulkReader.agent_group_rows`."""
        return self._group_rows("transfers", TRANSFERS, group_keys), self._group_rows(
            "agent_runs", AGENT_RUNS, group_keys
        )

    def _group_rows(self, table: str, schema: pa.Schema, group_keys: Sequence[str]) -> pa.Table:
        sql = f"""
            SELECT {quoted(schema.names)} FROM {table} WHERE group_key = ANY(%(keys)s::text[])
                AND md5(group_key) = ANY(ARRAY(SELECT md5(k) FROM unnest(%(keys)s::text[]) AS n(k)))
        """
        pages = self._database.pages(sql, {"keys": [escape_text(key) for key in group_keys]})
        return plain_table([row for page in pages for row in page], schema)
