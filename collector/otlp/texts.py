"""Bytes columns as text, and their validity bits."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def as_text(column: pa.BinaryArray) -> pa.StringArray:
    """View bytes as UTF-8 text; byte sequences that are not UTF-8 are replaced (U+FFFD), nulls stay null."""
    if is_ascii(column):
        return column.view(pa.string())
    try:
        return column.cast(pa.string())
    except pa.ArrowInvalid:
        repaired = [None if v is None else v.decode("utf-8", "replace") for v in column.to_pylist()]
        return pa.array(repaired, pa.string())


def is_ascii(column: pa.BinaryArray) -> bool:
    """Tell whether no byte of the column is over 0x7f: the usual case, decided at memory speed."""
    offsets, data = bytes_of(column)
    used = data[offsets[0] : offsets[-1]]
    return used.size == 0 or int(np.max(used)) < 0x80


def bytes_of(column: pa.BinaryArray) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Return where the values lie in the bytes (one offset more than there are values), and the bytes; no copies."""
    _, offsets, data = column.buffers()
    if len(column) == 0 or data is None:
        return np.zeros(len(column) + 1, np.int32), np.zeros(0, np.uint8)
    places = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    return places, np.frombuffer(data, np.uint8)


def validity(column: pa.Array) -> NDArray[np.bool_]:
    """Tell for each element whether it is not null."""
    if column.null_count == 0:
        return np.ones(len(column), np.bool_)
    bits = np.unpackbits(np.frombuffer(column.buffers()[0], np.uint8), bitorder="little")
    return bits[column.offset : column.offset + len(column)].astype(np.bool_)
