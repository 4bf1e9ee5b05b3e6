"""The reading half of a copy: a day of the source, slice by slice, without what the target has already."""

import contextlib
from bisect import bisect_left
from collections.abc import Generator
from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from collector.copying.difference import Held
from collector.copying.hashing import RowHasher
from collector.copying.slices import Slice, inserts, slices
from storage.bulk import BulkReader, ItemTable
from storage.queries import TimeRange


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows for one insert. The last piece of a slice has no rows and says so."""

    time: TimeRange
    number: int  # within the slice
    rows: pa.Table | None  # that the target lacks
    seen: int = 0  # rows of the source that it comes from
    held: int = 0  # rows that the target had in this slice before

    @property
    def ends_slice(self) -> bool:
        """Tell whether everything of the slice has been given."""
        return self.rows is None


def pieces(
    source: BulkReader, target: BulkReader, table: ItemTable, day: date, start: int = 0
) -> Generator[Piece, None, None]:
    """Yield what is to be written of a day from a time on, slices in the order of time.

    Where the target has rows in a slice, its rows are read too, and what both have is left out: what an earlier run
    wrote, or what a client sent to both. Elsewhere nothing needs to be compared.
    """
    hasher = RowHasher()
    steps = [(step, rows) for step, rows in source.count_steps(table, day) if step >= start]
    taken = [step for step, _ in target.count_steps(table, day)]
    for part in slices(steps):
        held = None
        if bisect_left(taken, part.time.start) < bisect_left(taken, part.time.end):
            held = Held(hasher, target.read_slice(table, day, part.time))
        yield from _slice(source, table, day, part, held)


def _slice(
    source: BulkReader, table: ItemTable, day: date, part: Slice, held: Held | None
) -> Generator[Piece, None, None]:
    rows_held = held.rows if held else 0
    with contextlib.closing(_generator(source, table, day, part.time)) as tables:
        for number, rows in enumerate(inserts(tables)):
            missing = held.missing(rows) if held else rows
            yield Piece(part.time, number, missing, rows.num_rows, rows_held)
    yield Piece(part.time, 0, None)


def _generator(source: BulkReader, table: ItemTable, day: date, time: TimeRange) -> Generator[pa.Table, None, None]:
    yield from source.read_slice(table, day, time)
