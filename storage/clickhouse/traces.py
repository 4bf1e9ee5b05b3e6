"""Read whole traces by id."""

from collections.abc import Sequence

import pyarrow as pa

from storage.clickhouse.arrow import conform
from storage.clickhouse.bindings import id_list
from storage.clickhouse.columns import SPAN_COLUMNS, stored
from storage.clickhouse.contexts import ContextTable
from storage.clickhouse.engine import Engine, Settings
from storage.schemas import SPANS
from storage.traces import whole_traces

_ONE_TRACE: Settings = {"max_threads": 1}  # a few granules: handing them to a second thread costs a millisecond


class TraceTable:
    """`get_traces` over the spans table."""

    def __init__(self, engine: Engine, resources: ContextTable, scopes: ContextTable) -> None:
        self._engine, self._resources, self._scopes = engine, resources, scopes

    def get(self, trace_ids: Sequence[bytes], columns: Sequence[str] | None) -> pa.Table:
        """See `storage.api.TraceReader.get_traces`."""
        return whole_traces(trace_ids, columns, self._read)

    def _read(self, ids: list[bytes], names: list[str]) -> pa.Table:
        selected = ", ".join(stored(names)) if len(names) < len(SPANS) else ", ".join(SPAN_COLUMNS)
        sql = f"SELECT {selected} FROM spans PREWHERE trace_id IN ({id_list(ids)})"
        found = self._engine.query(sql, settings=_ONE_TRACE if len(ids) == 1 else None)
        names = list(SPANS.names) if len(names) >= len(SPANS) else names
        found = found.rename_columns(names)
        for name, table in (("resource", self._resources), ("scope", self._scopes)):
            if name in names:
                found = found.set_column(names.index(name), name, table.read(_one_chunk(found.column(name))))
        return conform(found, pa.schema([SPANS.field(name) for name in names]))


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
