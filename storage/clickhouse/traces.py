"""Read whole traces by id."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from storage.clickhouse.arrow import conform
from storage.clickhouse.bindings import id_list
from storage.clickhouse.columns import SPAN_COLUMNS, stored
from storage.clickhouse.contexts import ContextTable
from storage.clickhouse.engine import Engine
from storage.schemas import SPANS

_IDENTITY = ("trace_id", "span_id", "start_time_unix_nano")


class TraceTable:
    """`get_traces` over the spans table."""

    def __init__(self, engine: Engine, resources: ContextTable, scopes: ContextTable) -> None:
        self._engine, self._resources, self._scopes = engine, resources, scopes

    def get(self, trace_ids: Sequence[bytes], columns: Sequence[str] | None) -> pa.Table:
        """See `storage.api.TraceReader.get_traces`."""
        names = list(columns) if columns is not None else SPANS.names
        schema = pa.schema([SPANS.field(name) for name in names])
        ids = [identifier for identifier in dict.fromkeys(trace_ids) if len(identifier) == 16]
        if not ids:
            return schema.empty_table()
        rows = self._read(ids, list(dict.fromkeys([*_IDENTITY, *names])))
        repeated = _repeated(rows)
        if len(repeated):
            if set(names) != set(SPANS.names):
                rows = self._read(ids, SPANS.names)  # only whole rows can tell a copy from a namesake
            rows = _without_copies(rows, _repeated(rows))
        return _ordered(rows, ids).select(names)

    def _read(self, ids: list[bytes], names: list[str]) -> pa.Table:
        selected = ", ".join(stored(names)) if len(names) < len(SPANS) else ", ".join(SPAN_COLUMNS)
        found = self._engine.query(f"SELECT {selected} FROM spans PREWHERE trace_id IN ({id_list(ids)})")
        names = list(SPANS.names) if len(names) >= len(SPANS) else names
        found = found.rename_columns(names)
        for name, table in (("resource", self._resources), ("scope", self._scopes)):
            if name in names:
                found = found.set_column(names.index(name), name, table.read(_one_chunk(found.column(name))))
        return conform(found, pa.schema([SPANS.field(name) for name in names]))


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


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
