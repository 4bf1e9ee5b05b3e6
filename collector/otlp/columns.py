"""Small pure steps on Arrow columns that flattening is made of: texts, attributes, contexts."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from storage import attributes as letters

_MEMBERS = (
    ("string_value", letters.STRING),
    ("int_value", letters.INT),
    ("double_value", letters.DOUBLE),
    ("bool_value", letters.BOOL),
    ("array_value", letters.ARRAY),
    ("kvlist_value", letters.KVLIST),
    ("bytes_value", letters.BYTES),
)
_EMPTY = pa.scalar(b"", pa.binary())


def as_text(column: pa.BinaryArray) -> pa.StringArray:
    """View bytes as UTF-8 text; byte sequences that are not UTF-8 are replaced (U+FFFD), nulls stay null."""
    if _is_ascii(column):
        return column.view(pa.string())
    try:
        return column.cast(pa.string())
    except pa.ArrowInvalid:
        repaired = [None if v is None else v.decode("utf-8", "replace") for v in column.to_pylist()]
        return pa.array(repaired, pa.string())


def _is_ascii(column: pa.BinaryArray) -> bool:
    """Tell whether no byte of the column is over 0x7f: the usual case, decided at memory speed."""
    _, offsets, data = column.buffers()
    if data is None or len(column) == 0:
        return True
    ends = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    used = np.frombuffer(data, np.uint8)[ends[0] : ends[-1]]
    return used.size == 0 or int(used.max()) < 0x80


def validity(column: pa.Array) -> NDArray[np.bool_]:
    """Tell for each element whether it is not null."""
    if column.null_count == 0:
        return np.ones(len(column), np.bool_)
    bits = np.unpackbits(np.frombuffer(column.buffers()[0], np.uint8), bitorder="little")
    return bits[column.offset : column.offset + len(column)].astype(np.bool_)


def any_values(values: pa.StructArray, absent: str = letters.ABSENT) -> tuple[pa.BinaryArray, NDArray[np.uint8]]:
    """Turn `AnyValue` structs into (text, type letter) columns, see `storage.attributes`.

    A null struct gets the letter `absent` (0 when that is empty).
    """
    count = len(values)
    codes = np.full(count, ord(letters.EMPTY), np.uint8)
    if values.null_count:
        codes[~validity(values)] = ord(absent) if absent else 0
    texts = []
    for member, letter in _MEMBERS:
        column = values.field(member)
        if column.null_count == count:
            continue
        codes[validity(column)] = ord(letter)
        texts.append(_member_text(column, letter))
    if not texts:
        return pa.repeat(_EMPTY, count), codes
    return pc.coalesce(*texts, _EMPTY), codes


def _member_text(column: pa.Array, letter: str) -> pa.BinaryArray:
    if letter == letters.STRING:
        return as_text(column).view(pa.binary())
    if pa.types.is_binary(column.type):
        return column
    return column.cast(pa.string()).view(pa.binary())


def attributes(lists: pa.ListArray) -> tuple[pa.MapArray, pa.StringArray]:
    """Turn lists of KeyValue into (`attributes` map, `attribute_types` letters), one entry per list."""
    pairs = lists.flatten()
    texts, codes = any_values(pairs.field("value"))
    keys = as_text(pairs.field("key"))
    offsets = lists.offsets
    maps = pa.MapArray.from_arrays(offsets, keys, texts)
    # one letter is one byte, so the map's offsets are the letters' offsets too
    types = pa.Array.from_buffers(
        pa.string(), len(lists), [None, pa.py_buffer(offsets.to_numpy().astype(np.int32)), pa.py_buffer(codes)]
    )
    return maps, types
