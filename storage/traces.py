"""Whole traces: equal spans once, namesakes kept, in the order asked for."""

from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from storage.schemas import SPANS

_IDENTITY = ("trace_id", "span_id", "start_time_unix_nano")

# Reads the spans of traces, in any order: the named columns of SPANS, in that order.
ReadSpans = Callable[[list[bytes], list[str]], pa.Table]


def whole_traces(trace_ids: Sequence[bytes], columns: Sequence[str] | None, read: ReadSpans) -> pa.Table:
    """See `storage.api.TraceReader.get_traces`."""
    names = list(columns) if columns is not None else SPANS.names
    schema = pa.schema([SPANS.field(name) for name in names])
    ids = [identifier for identifier in dict.fromkeys(trace_ids) if len(identifier) == 16]
    if not ids:
        return schema.empty_table()
    rows = read(ids, list(dict.fromkeys([*_IDENTITY, *names])))
    if len(_repeated(rows)):
        if set(names) != set(SPANS.names):
            rows = read(ids, SPANS.names)  # only whole rows can tell a copy from a namesake
        rows = _without_copies(rows, _repeated(rows))
    return _ordered(rows, ids).select(names)


def _repeated(rows: pa.Table) -> pa.Array:
    """Return the row numbers whose (trace id, span id) occurs more than once."""
    keys = pc.binary_join_element_wise(
        rows["trace_id"].cast(pa.binary()), rows["span_id"].cast(pa.binary()), pa.scalar(b"", pa.binary())
    )
    if len(keys) == len(pc.unique(keys)):
        return pa.array([], pa.int64())
    counts = pc.value_counts(keys)
    many = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    return pc.indices_nonzero(pc.is_in(keys, value_set=many))


def _without_copies(rows: pa.Table, suspects: pa.Array) -> pa.Table:
    """Drop all but the first of rows that are equal in every column."""
    kept: set[str] = set()
    dropped = []
    for number, row in zip(suspects.to_pylist(), rows.take(suspects).to_pylist(), strict=True):
        content = repr(row)
        if content in kept:
            dropped.append(number)
        kept.add(content)
    mask = pc.invert(pc.is_in(pa.array(range(len(rows)), pa.int64()), value_set=pa.array(dropped, pa.int64())))
    return rows.filter(mask)


def _ordered(rows: pa.Table, ids: list[bytes]) -> pa.Table:
    """Order by the place of the trace among `ids`, then by start time."""
    place = pc.index_in(rows["trace_id"], value_set=pa.array(ids, pa.binary(16)))
    keys = pa.table({"place": place, "start": rows["start_time_unix_nano"], "span": rows["span_id"].cast(pa.binary())})
    order = pc.sort_indices(keys, [("place", "ascending"), ("start", "ascending"), ("span", "ascending")])
    return rows.take(order)
