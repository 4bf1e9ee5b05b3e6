"""Cuts rows into inserts that the engine's memory can take: a batch of prompts is not a batch of HTTP spans.

The engine holds a column several times over while it inserts (measured: 450 MB for 56 MB of text). The cut follows from
the values alone, so that a batch that is written again after a crash is cut the same way and its tokens still hold.
"""

from collections.abc import Iterator
from functools import reduce

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

MAX_INSERT_BYTES = 64 << 20

_Sizes = NDArray[np.int64]


def slices(rows: pa.Table, max_bytes: int = MAX_INSERT_BYTES) -> Iterator[pa.Table]:
    """Yield runs of rows whose variable-length values are at most `max_bytes` together; a larger row stands alone."""
    if rows.nbytes <= max_bytes:  # never less than the sizes below
        yield rows
        return
    ends = np.cumsum(reduce(np.add, (_sizes(_chunk(column)) for column in rows.columns)))
    start, before = 0, 0
    while start < rows.num_rows:
        end = max(int(np.searchsorted(ends, before + max_bytes, side="right")), start + 1)
        yield rows.slice(start, end - start)
        start, before = end, int(ends[end - 1])


def _sizes(array: pa.Array) -> _Sizes:
    """Return the bytes of the texts in each element; dictionaries are shared and count for nothing."""
    kind = array.type
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        return np.diff(_offsets(array))
    if pa.types.is_list(kind) or pa.types.is_map(kind):
        offsets = _offsets(array)
        first, last = int(offsets[0]), int(offsets[-1])
        parts = [array.keys, array.items] if pa.types.is_map(kind) else [array.values]
        inner = reduce(np.add, (_sizes(part.slice(first, last - first)) for part in parts))
        ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(inner)])
        return np.diff(ends[offsets - first])
    if pa.types.is_struct(kind):
        return reduce(np.add, (_sizes(field) for field in array.flatten()))
    return np.zeros(len(array), np.int64)


def _offsets(array: pa.Array) -> _Sizes:
    if len(array) == 0:
        return np.zeros(1, np.int64)
    buffer = array.buffers()[1]
    return np.frombuffer(buffer, np.int32)[array.offset : array.offset + len(array) + 1].astype(np.int64)


def _chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
