"""From the port's tables to what is inserted: one chunk, days in the engine's range, contexts as ids."""

import hashlib
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from storage.clickhouse.columns import ID, stored

LAST_DAY = 65_535  # of the Date type: 2149-06-06
_DENSE_LIMIT = 1 << 22


@dataclass(frozen=True, slots=True)
class Prepared:
    """The rows to insert, and the context columns as they came (one chunk each) for what is derived from them."""

    rows: pa.Table
    resource: pa.DictionaryArray
    scope: pa.DictionaryArray
    days: NDArray[np.int64]


def prepare(table: pa.Table) -> Prepared:
    """Return a SPANS or LOGS table ready for its insert."""
    table = one_chunk(table)
    resource, scope = dictionary(table.column("resource")), dictionary(table.column("scope"))
    columns = dict(zip(table.column_names, table.columns, strict=True))
    columns["resource"], columns["scope"] = _ids(resource), _ids(scope)
    rows = pa.table(list(columns.values()), names=stored(list(columns)))
    days = _chunk(table.column("day")).view(pa.int32()).to_numpy()
    return Prepared(rows, resource, scope, days.astype(np.int64))


def one_chunk(table: pa.Table) -> pa.Table:
    """Return the table in one chunk, its days moved into what the Date type holds."""
    table = table.unify_dictionaries().combine_chunks()
    days = np.clip(_chunk(table.column("day")).view(pa.int32()).to_numpy(), 0, LAST_DAY)
    clipped = pa.array(days, pa.int32()).view(pa.date32())
    return table.set_column(table.column_names.index("day"), "day", clipped)


def dictionary(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """Return a unified, combined column as one dictionary array."""
    array = _chunk(column)
    return array if pa.types.is_dictionary(array.type) else array.dictionary_encode()


def context_id(context: bytes) -> bytes:
    """Return the id of a context: 128 bits of BLAKE2b, because a sender must not be able to make two that collide."""
    return hashlib.blake2b(context, digest_size=16).digest()


def distinct(codes: list[tuple[NDArray[np.int64], int]]) -> list[NDArray[np.int64]]:
    """Return the distinct combinations of code columns, each given with its number of codes.

    Shape: one array for each column, equally long, in one order. A flag per possible combination is far cheaper than
    a sort while there are few.
    """
    size = reduce(lambda product, column: product * column[1], codes, 1)
    if size >= 1 << 62:
        rows = np.unique(np.stack([column for column, _ in codes], axis=1), axis=0)
        return [rows[:, index] for index in range(len(codes))]
    combined = np.zeros(len(codes[0][0]), np.int64)
    for column, count in codes:
        combined = combined * count + column
    if size <= _DENSE_LIMIT:
        flags = np.zeros(size, np.bool_)
        flags[combined] = True
        combined = np.flatnonzero(flags)
    else:
        combined = np.unique(combined)
    parts = []
    for _, count in reversed(codes):
        combined, part = np.divmod(combined, count)
        parts.append(part)
    return parts[::-1]


def codes_of(values: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (distinct values, code of each value); one value for all is the usual case and needs no sort."""
    if values.size and (values == values[0]).all():
        return values[:1], np.zeros(values.size, np.int64)
    found, codes = np.unique(values, return_inverse=True)
    return found, codes.astype(np.int64)


def indices(array: pa.DictionaryArray) -> NDArray[np.int64]:
    """Return a dictionary array's codes."""
    codes: NDArray[np.int64] = array.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return codes


def _ids(contexts: pa.DictionaryArray) -> pa.DictionaryArray:
    ids = pa.array([context_id(context) for context in contexts.dictionary.to_pylist()], ID)
    return pa.DictionaryArray.from_arrays(contexts.indices, ids)


def _chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks else pa.array([], column.type)
