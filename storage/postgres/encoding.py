"""Arrow columns to the rows of PostgreSQL's binary COPY format, without a loop over rows.

Each column becomes pieces: arrays with the bytes that each row contributes. Fixed-width pieces that follow each other
are laid out in one NumPy record; Arrow then joins the pieces of each row, so the joined array's data is the stream.
Source: PostgreSQL documentation, COPY, "Binary Format"; array layout as in `array_recv`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from storage.postgres.texts import escaped_array

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"

_OIDS = {"bytea": 17, "bigint": 20, "integer": 23, "text": 25}
_EPOCH = 10_957  # days from 1970-01-01 to PostgreSQL's 2000-01-01
_TOP_BIT = np.uint64(1 << 63)
_STREAM_BYTES = 64 << 20  # Arrow's offsets have 32 bits, and less memory is nicer


@dataclass(frozen=True, slots=True)
class Fixed:
    """A column of equally long values that are never null; `values` is big-endian."""

    values: NDArray[Any]


@dataclass(frozen=True, slots=True)
class Varying:
    """A column of byte strings. `lengths` is -1 for null, whose bytes are empty."""

    lengths: NDArray[np.int64]
    parts: Sequence[pa.Array]  # concatenated for each row


Column = Fixed | Varying


def copy_stream(columns: Sequence[Column], rows: int) -> Iterator[memoryview]:
    """Yield the rows in COPY format, without header and trailer."""
    if not rows:
        return
    size = sum(_bytes(column) for column in columns)
    step = max(1, int(rows * _STREAM_BYTES / max(size, 1)))
    for start in range(0, rows, step):
        count = min(step, rows - start)
        joined = _joined([_slice(column, start, count) for column in columns], count)
        offsets = np.frombuffer(joined.buffers()[1], np.int32)
        yield memoryview(joined.buffers()[2])[offsets[0] : offsets[count]]


def number(array: pa.Array) -> Column:
    """Return a column of integers, doubles, booleans or dates."""
    if array.null_count:
        return _nullable(array)
    return Fixed(_big_endian(array))


def text(array: pa.Array) -> Column:
    """Return a text column of strings, of bytes, or of a dictionary of either."""
    if pa.types.is_dictionary(array.type):
        return raw(pa.DictionaryArray.from_arrays(array.indices, escaped_array(array.dictionary)).cast(pa.binary()))
    return raw(escaped_array(_without_nulls(array)))


def raw(array: pa.Array) -> Column:
    """Return a bytea column; fixed-size arrays too."""
    if pa.types.is_fixed_size_binary(array.type):
        width = array.type.byte_width
        stored = np.frombuffer(array.buffers()[1], f"V{width}", count=array.offset + len(array))
        data = stored[array.offset :]
        return Fixed(data)
    array = _without_nulls(array)
    return Varying(_lengths(array), [array])


def uuids(ids: NDArray[Any]) -> Column:
    """Return a uuid column of 16-byte values (dtype V16)."""
    return Fixed(ids)


def array_column(kind: str, values: pa.Array, offsets: NDArray[np.int64], *, empty_is_null: bool) -> Column:
    """Return an array column: row n holds `values[offsets[n]:offsets[n + 1]]`. `kind`: the elements' SQL type."""
    counts = np.diff(offsets)
    elements, sizes = _elements(kind, values)
    starts = sizes[offsets]
    body = _binary(starts, elements)
    present = counts > 0 if empty_is_null else np.ones(len(counts), np.bool_)
    header = np.zeros(len(counts), [(name, ">i4") for name in ("dimensions", "nulls", "oid", "count", "first")])
    header["dimensions"], header["oid"], header["count"], header["first"] = 1, _OIDS[kind], counts, 1
    header_bytes = np.where(present, header.dtype.itemsize, 0)
    kept = header[present]
    heads = _binary(np.concatenate([[0], np.cumsum(header_bytes)]), pa.py_buffer(kept.tobytes()))
    lengths = np.where(present, np.diff(starts) + header.dtype.itemsize, -1)
    return Varying(lengths, [heads, body])


def _elements(kind: str, values: pa.Array) -> tuple[pa.Buffer, NDArray[np.int64]]:
    """Return the elements as the array's wire format wants them, and where each starts."""
    if not len(values):
        return pa.py_buffer(b""), np.zeros(1, np.int64)
    column = {"text": text, "bytea": raw}.get(kind, number)(values)
    if isinstance(column, Fixed):
        size = np.dtype(column.values.dtype).itemsize
        record = np.empty(len(values), [("length", ">i4"), ("value", column.values.dtype)])
        record["length"], record["value"] = size, column.values
        return pa.py_buffer(record.tobytes()), np.arange(len(values) + 1, dtype=np.int64) * (size + 4)
    prefixes = _fixed_binary(column.lengths.astype(">i4"))
    joined = pc.binary_join_element_wise(prefixes, *column.parts, b"")
    offsets = np.frombuffer(joined.buffers()[1], np.int32)[: len(values) + 1]
    return joined.buffers()[2], offsets.astype(np.int64)


def _joined(columns: Sequence[Column], rows: int) -> pa.Array:
    """Join the columns of each row: runs of fixed width as one record, varying parts between them."""
    pieces: list[pa.Array] = []
    fields: list[tuple[str, Any]] = [("columns", ">i2")]
    values: dict[str, Any] = {"columns": len(columns)}

    def flush() -> None:
        record = np.empty(rows, fields)
        for name, value in values.items():
            record[name] = value
        pieces.append(_fixed_binary(record))
        fields.clear()
        values.clear()

    for index, column in enumerate(columns):
        fields.append((f"length{index}", ">i4"))
        if isinstance(column, Fixed):
            fields.append((f"value{index}", column.values.dtype))
            values[f"length{index}"], values[f"value{index}"] = column.values.dtype.itemsize, column.values
            continue
        values[f"length{index}"] = column.lengths
        if (column.lengths > 0).any():
            flush()
            pieces += column.parts
    if fields:
        flush()
    return pc.binary_join_element_wise(*pieces, b"") if len(pieces) > 1 else pieces[0]


def _nullable(array: pa.Array) -> Column:
    filled = _big_endian(array.fill_null(0))
    valid = array.is_valid().to_numpy(zero_copy_only=False)
    size = filled.dtype.itemsize
    offsets = np.concatenate([[0], np.cumsum(np.where(valid, size, 0))])
    return Varying(np.where(valid, size, -1), [_binary(offsets, pa.py_buffer(filled[valid].tobytes()))])


def _big_endian(array: pa.Array) -> NDArray[Any]:
    kind = array.type
    if pa.types.is_date32(kind):
        return np.asarray(array.view(pa.int32()).to_numpy() - _EPOCH, ">i4")
    values: NDArray[Any] = array.to_numpy(zero_copy_only=False)
    if pa.types.is_boolean(kind):
        return values.astype("u1")
    if pa.types.is_uint64(kind):
        return (values ^ _TOP_BIT).view(np.int64).astype(">i8")
    if pa.types.is_uint32(kind):
        return values.view(np.int32).astype(">i4")
    return values.astype(values.dtype.newbyteorder(">"))


def _without_nulls(array: pa.Array) -> pa.Array:
    return array.fill_null(b"" if pa.types.is_binary(array.type) else "") if array.null_count else array


def _lengths(array: pa.Array) -> NDArray[np.int64]:
    lengths: NDArray[np.int64] = pc.binary_length(array).to_numpy(zero_copy_only=False).astype(np.int64)
    return lengths


def _fixed_binary(record: NDArray[Any]) -> pa.Array:
    size = record.dtype.itemsize
    return _binary(np.arange(len(record) + 1, dtype=np.int64) * size, pa.py_buffer(np.ascontiguousarray(record)))


def _binary(offsets: NDArray[Any], data: pa.Buffer) -> pa.Array:
    buffer = pa.py_buffer(np.ascontiguousarray(offsets, dtype=np.int32))
    return pa.Array.from_buffers(pa.binary(), len(offsets) - 1, [None, buffer, data])


def _slice(column: Column, start: int, count: int) -> Column:
    end = start + count
    if isinstance(column, Fixed):
        return Fixed(column.values[start:end])
    return Varying(column.lengths[start:end], [part.slice(start, count) for part in column.parts])


def _bytes(column: Column) -> int:
    if isinstance(column, Fixed):
        return int(column.values.nbytes)
    return int(np.maximum(column.lengths, 0).sum())
