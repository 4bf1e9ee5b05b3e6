"""Arrow columns of stored tables as Python lists, fast: one conversion per column, no Arrow scalar per element."""

from collections.abc import Sequence
from itertools import chain, pairwise
from typing import Any, TypeAlias

import pyarrow as pa

from storage.attributes import ARRAY, BYTES, KVLIST

# (key, type letter, value): text as `str`, except for the letters in `RAW`, which keep their bytes.
Attribute: TypeAlias = "tuple[str, str, str | bytes]"
RAW = frozenset((ARRAY, KVLIST, BYTES))


def values(column: pa.Array | pa.ChunkedArray) -> list[Any]:
    """Return the elements of a flat column (numbers, texts, bytes, dictionaries of those). Nulls become None."""
    if isinstance(column, pa.ChunkedArray):
        return list(chain.from_iterable(values(chunk) for chunk in column.chunks))
    if pa.types.is_dictionary(column.type):
        distinct = values(column.dictionary)
        if column.null_count:
            return [None if index is None else distinct[index] for index in column.indices.to_pylist()]
        return [distinct[index] for index in column.indices.to_numpy().tolist()]
    if column.null_count or pa.types.is_nested(column.type):
        return list(column.to_pylist())
    return list(column.to_numpy(zero_copy_only=False).tolist())


def lists(column: pa.Array | pa.ChunkedArray) -> tuple[list[int], pa.Array]:
    """Return (bounds, elements) of a list column: list i is `elements[bounds[i]:bounds[i + 1]]`. A null is empty."""
    array = _one_array(column)
    bounds, first, last = _bounds(array)
    return bounds, array.values.slice(first, last - first)


def attributes(maps: pa.Array | pa.ChunkedArray, types: pa.Array | pa.ChunkedArray) -> list[Sequence[Attribute]]:
    """Return the attributes of each item, in stored order, duplicates included."""
    array = _one_array(maps)
    bounds, first, last = _bounds(array)
    keys = values(array.keys.slice(first, last - first))
    texts = _texts(array.items.slice(first, last - first))
    letters = values(types)
    found: list[Sequence[Attribute]] = []
    for (start, end), kinds in zip(pairwise(bounds), letters, strict=True):
        if start == end:
            found.append(())
            continue
        pairs = zip(keys[start:end], kinds, texts[start:end], strict=True)
        found.append(list(pairs) if RAW.isdisjoint(kinds) else [_raw(*pair) for pair in pairs])
    return found


def _one_array(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    if not isinstance(column, pa.ChunkedArray):
        return column
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _bounds(array: pa.Array) -> tuple[list[int], int, int]:
    """Return where lists start and end, counted from the first element in use, and the range in use."""
    if len(array) == 0:  # may come without any offset
        return [], 0, 0
    offsets = array.offsets.to_numpy()
    return (offsets - offsets[0]).tolist(), int(offsets[0]), int(offsets[-1])


def _texts(items: pa.BinaryArray) -> list[str]:
    """Return bytes as text; bytes that are not UTF-8 (never of a textual value) survive as surrogates."""
    try:
        return values(items.cast(pa.string()))
    except pa.ArrowInvalid:
        return [raw.decode("utf-8", "surrogateescape") for raw in values(items)]


def _raw(key: str, letter: str, text: str) -> Attribute:
    return (key, letter, text.encode("utf-8", "surrogateescape")) if letter in RAW else (key, letter, text)
