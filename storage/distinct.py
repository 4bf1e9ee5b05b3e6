"""What is distinct in columns, without a loop over rows; ids of contexts. Shared by the engines."""

import hashlib
from functools import reduce

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_DENSE_LIMIT = 1 << 22


def dictionary(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """Return a unified, combined column as one dictionary array."""
    array = column.chunk(0) if column.num_chunks else pa.array([], column.type)
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
