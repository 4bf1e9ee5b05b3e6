"""Read whole traces by id."""

from collections.abc import Sequence

import pyarrow as pa

from storage.postgres.database import Database, quoted
from storage.postgres.decoding import Decoder, stored_columns
from storage.traces import whole_traces

# Traces read at once without a server-side cursor, which costs six round trips.
_FEW = 20


class TraceTable:
    """`get_traces` over the spans table."""

    def __init__(self, database: Database, decoder: Decoder) -> None:
        self._database, self._decoder = database, decoder

    def get(self, trace_ids: Sequence[bytes], columns: Sequence[str] | None) -> pa.Table:
        """See `storage.api.TraceReader.get_traces`."""
        return whole_traces(trace_ids, columns, self._read)

    def _read(self, ids: list[bytes], columns: pa.Schema) -> pa.Table:
        read = self._database.query if len(ids) <= _FEW else self._database.stream
        selected = quoted(stored_columns(columns.names))
        rows = read(f"SELECT {selected} FROM spans WHERE trace_id = ANY(%(ids)s::bytea[])", {"ids": ids})
        return self._decoder.table(rows, columns)
