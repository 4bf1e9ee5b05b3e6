"""The bulk port: everything that a store holds, read as a whole, so that it can be written into another store."""

from collections.abc import Iterator, Sequence
from datetime import date
from enum import StrEnum
from typing import Protocol

import pyarrow as pa

from storage.queries import TimeRange
from storage.schemas import AGENT_LOGS, AGENT_SPANS, LOGS, SPANS

# Rows are counted in steps of this many nanoseconds: a power of two, about a second, the same for every engine.
STEP_NS = 1 << 30


class ItemTable(StrEnum):
    """The tables whose rows are never changed: a row is in one day and at one time."""

    SPANS = "spans"
    LOGS = "logs"
    AGENT_SPANS = "agent_spans"
    AGENT_LOGS = "agent_logs"


SCHEMAS: dict[ItemTable, pa.Schema] = {
    ItemTable.SPANS: SPANS,
    ItemTable.LOGS: LOGS,
    ItemTable.AGENT_SPANS: AGENT_SPANS,
    ItemTable.AGENT_LOGS: AGENT_LOGS,
}
TIMES: dict[ItemTable, str] = {
    ItemTable.SPANS: "start_time_unix_nano",
    ItemTable.LOGS: "event_time_unix_nano",
    ItemTable.AGENT_SPANS: "start_time_unix_nano",
    ItemTable.AGENT_LOGS: "event_time_unix_nano",
}


class BulkReader(Protocol):
    """Reads without the limits of a query: no ceiling of time, memory bounded by one table of `read_slice`."""

    def count_days(self, table: ItemTable) -> dict[date, int]:
        """Return the rows of each day that has any, counted now."""
        ...

    def count_steps(self, table: ItemTable, day: date) -> list[tuple[int, int]]:
        """Return (start, rows) of the steps that have any, by time. Starts are multiples of STEP_NS."""
        ...

    def read_slice(self, table: ItemTable, day: date, time: TimeRange) -> Iterator[pa.Table]:
        """Yield every stored row of a day whose time is in the range, copies too, in no particular order.

        Shape: the table's schema, `rows > 0`, some megabytes each. Closing the iterator early ends the read.
        """
        ...

    def agent_group_keys(self, after: str, limit: int) -> list[str]:
        """Return at most `limit` group keys of transfers and runs, those after one, in an order of the engine's own.

        What all keys come after is the empty text.
        """
        ...

    def agent_group_rows(self, group_keys: Sequence[str]) -> tuple[pa.Table, pa.Table]:
        """Return all TRANSFERS and AGENT_RUNS rows of the groups."""
        ...
