"""Cuts a day into slices of time with about so many rows, and a slice's rows into inserts. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from storage.bulk import STEP_NS
from storage.queries import TimeRange

# What a checkpoint stands for: lost and done again when a copy is killed.
SLICE_ROWS = 131_072
# As large as an insert of the ingest path may be.
INSERT_ROWS, INSERT_BYTES = 32_768, 16 << 20


@dataclass(frozen=True, slots=True)
class Slice:
    """A range of time, from step to step, and how many rows it had when it was counted."""

    time: TimeRange
    rows: int


def slices(steps: Sequence[tuple[int, int]], rows: int = SLICE_ROWS) -> Iterator[Slice]:
    """Yield slices that hold all the steps, by time. A step is never cut, so a slice may have more rows."""
    start, end, counted = 0, 0, 0
    for begin, count in steps:
        if counted and counted + count > rows:
            yield Slice(TimeRange(start, end), counted)
            counted = 0
        if not counted:
            start = begin
        end, counted = begin + STEP_NS, counted + count
    if counted:
        yield Slice(TimeRange(start, end), counted)


def inserts(tables: Iterable[pa.Table], rows: int = INSERT_ROWS, size: int = INSERT_BYTES) -> Iterator[pa.Table]:
    """Join small tables until they are worth an insert."""
    gathered: list[pa.Table] = []
    for table in tables:
        if gathered and (_rows(gathered) + table.num_rows > rows or _bytes(gathered) + table.nbytes > size):
            yield pa.concat_tables(gathered).unify_dictionaries().combine_chunks()
            gathered = []
        gathered.append(table)
    if gathered:
        yield pa.concat_tables(gathered).unify_dictionaries().combine_chunks()


def _rows(tables: Sequence[pa.Table]) -> int:
    return sum(table.num_rows for table in tables)


def _bytes(tables: Sequence[pa.Table]) -> int:
    return sum(table.nbytes for table in tables)
