"""Whole tables, read in slices of time: see `storage.bulk`."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

import pyarrow as pa

from storage.bulk import SCHEMAS, STEP_NS, TIMES, ItemTable
from storage.clickhouse.arrow import conform
from storage.clickhouse.bindings import Bindings, keyed_time_sql
from storage.clickhouse.columns import stored
from storage.clickhouse.contexts import Contexts
from storage.clickhouse.engine import Engine, Settings
from storage.clickhouse.latest import latest_of_groups
from storage.queries import TimeRange
from storage.schemas import AGENT_RUNS, TRANSFERS

_EPOCH = date(1970, 1, 1)
_SHIFT = STEP_NS.bit_length() - 1
_UNLIMITED: Settings = {"max_execution_time": 0}
# One thread: two would hold twice the blocks, and the other end of a copy wants the second core.
_STREAMING: Settings = {**_UNLIMITED, "max_threads": 1}
_TABLE_ROWS, _TABLE_BYTES = 16_384, 12 << 20


class BulkTables:
    """`storage.bulk.BulkReader` over ClickHouse."""

    def __init__(self, engine: Engine, contexts: Contexts) -> None:
        self._engine, self._contexts = engine, contexts

    def count_days(self, table: ItemTable) -> dict[date, int]:
        """See `BulkReader.count_days`."""
        rows = self._engine.query(
            f"SELECT toInt32(day) AS day, count() AS rows FROM {table.value} GROUP BY day ORDER BY day",
            settings=_UNLIMITED,
        )
        return {
            _EPOCH + timedelta(days=day): count
            for day, count in zip(rows["day"].to_pylist(), rows["rows"].to_pylist(), strict=True)
        }

    def count_steps(self, table: ItemTable, day: date) -> list[tuple[int, int]]:
        """See `BulkReader.count_steps`."""
        rows = self._engine.query(
            f"""
            SELECT bitShiftRight({TIMES[table]}, {_SHIFT}) AS step, count() AS rows FROM {table.value}
            WHERE {_day(day)} GROUP BY step ORDER BY step
            """,
            settings=_UNLIMITED,
        )
        starts = [step * STEP_NS for step in rows["step"].to_pylist()]
        return list(zip(starts, rows["rows"].to_pylist(), strict=True))

    def read_slice(self, table: ItemTable, day: date, time: TimeRange) -> Iterator[pa.Table]:
        """See `BulkReader.read_slice`."""
        bindings = Bindings()
        schema, column = SCHEMAS[table], TIMES[table]
        sql = f"""
            SELECT {", ".join(stored(schema.names))} FROM {table.value}
            WHERE {_day(day)} AND {keyed_time_sql(column, time, bindings)}
        """
        for blocks in _gathered(self._engine.stream(sql, bindings.parameters, _STREAMING)):
            yield self._contexts.resolve(pa.concat_tables(blocks), schema)

    def agent_group_keys(self, after: str, limit: int) -> list[str]:
        """See `BulkReader.agent_group_keys`."""
        bindings = Bindings()
        later = f"WHERE group_key > {bindings.text(after)}"
        rows = self._engine.query(
            f"""
            SELECT DISTINCT group_key FROM (
                SELECT group_key FROM transfers FINAL {later} UNION ALL SELECT group_key FROM agent_runs FINAL {later})
            ORDER BY group_key LIMIT {int(limit)}
            """,
            bindings.parameters,
            _UNLIMITED,
        )
        return [key.decode() for key in rows["group_key"].to_pylist()]

    def agent_group_rows(self, group_keys: Sequence[str]) -> tuple[pa.Table, pa.Table]:
        """See `BulkReader.agent_group_rows`."""
        return self._group_rows("transfers", TRANSFERS, group_keys), self._group_rows(
            "agent_runs", AGENT_RUNS, group_keys
        )

    def _group_rows(self, table: str, schema: pa.Schema, group_keys: Sequence[str]) -> pa.Table:
        if not group_keys:
            return schema.empty_table()
        source = latest_of_groups(table, schema.names, group_keys)
        rows = self._engine.query(f"SELECT {', '.join(schema.names)} FROM {source}", settings=_UNLIMITED)
        return conform(rows, schema) if rows.num_rows else schema.empty_table()


def _gathered(blocks: Iterator[pa.Table]) -> Iterator[list[pa.Table]]:
    """Join the engine's small blocks until they are worth a table."""
    gathered: list[pa.Table] = []
    rows = size = 0
    for block in blocks:
        gathered.append(block)
        rows, size = rows + block.num_rows, size + block.nbytes
        if rows >= _TABLE_ROWS or size >= _TABLE_BYTES:
            yield gathered
            gathered, rows, size = [], 0, 0
    if gathered:
        yield gathered


def _day(day: date) -> str:
    return f"day = toDate({(day - _EPOCH).days})"
