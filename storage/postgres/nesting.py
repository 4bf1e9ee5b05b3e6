"""Flat views of nested Arrow columns: the children of all rows in a row, and offsets that say whose they are."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Entries:
    """The entries of a map column."""

    offsets: NDArray[np.int64]  # one more than rows, starting at 0
    keys: pa.Array
    values: pa.Array


@dataclass(frozen=True, slots=True)
class Items:
    """The structs of a list column, field by field."""

    offsets: NDArray[np.int64]  # one more than rows, starting at 0
    fields: dict[str, pa.Array]


def entries_of(maps: pa.MapArray) -> Entries:
    """Return a map column's entries; a sliced column's only."""
    offsets, start, count = _offsets(maps)
    return Entries(offsets, maps.keys.slice(start, count), maps.items.slice(start, count))


def items_of(lists: pa.ListArray) -> Items:
    """Return the items of a column of lists of structs."""
    offsets, start, count = _offsets(lists)
    structs = lists.values.slice(start, count)
    names = [field.name for field in structs.type]
    return Items(offsets, dict(zip(names, structs.flatten(), strict=True)))


def values_of(lists: pa.ListArray) -> tuple[NDArray[np.int64], pa.Array]:
    """Return offsets and values of a column of lists."""
    offsets, start, count = _offsets(lists)
    return offsets, lists.values.slice(start, count)


def letters_of(types: pa.Array) -> tuple[NDArray[np.int64], pa.Array]:
    """Return each single letter of a column of ASCII texts, and offsets that say whose it is."""
    types = types.cast(pa.binary()) if not pa.types.is_binary(types.type) else types
    if not len(types) or types.buffers()[2] is None:
        return np.zeros(len(types) + 1, np.int64), pa.array([], pa.binary())
    stored = np.frombuffer(types.buffers()[1], np.int32)[types.offset : types.offset + len(types) + 1]
    start, end = int(stored[0]), int(stored[-1])
    data = types.buffers()[2].slice(start, end - start)
    places = pa.py_buffer(np.arange(end - start + 1, dtype=np.int32))
    letters = pa.Array.from_buffers(pa.binary(), end - start, [None, places, data])
    return stored.astype(np.int64) - start, letters


def _offsets(array: pa.Array) -> tuple[NDArray[np.int64], int, int]:
    stored = array.offsets.to_numpy().astype(np.int64)
    start = int(stored[0]) if len(stored) else 0
    if not len(stored):
        return np.zeros(1, np.int64), 0, 0
    return stored - start, start, int(stored[-1]) - start
