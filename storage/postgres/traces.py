"""Read whole traces by id."""

from collections.abc import Sequence

import pyarrow as pa

from storage.copies import ordered, repeated, without_copies
from storage.postgres.database import Database, quoted
from storage.postgres.decoding import Decoder, stored_columns
from storage.schemas import SPANS

# Traces read at once without a server-side cursor, which costs six round trips.
_FEW = 20
_IDENTITY = ("trace_id", "span_id", "start_time_unix_nano")


class TraceTable:
    """`get_traces` over the spans table."""

    def __init__(self, database: Database, decoder: Decoder) -> None:
        self._database, self._decoder = database, decoder

    def get(self, trace_ids: Sequence[bytes], columns: Sequence[str] | None) -> pa.Table:
        """See `storage.api.TraceReader.get_traces`."""
        names = list(columns) if columns is not None else SPANS.names
        schema = pa.schema([SPANS.field(name) for name in names])
        ids = [identifier for identifier in dict.fromkeys(trace_ids) if len(identifier) == 16]
        if not ids:
            return schema.empty_table()
        rows = self._read(ids, list(dict.fromkeys([*_IDENTITY, *names])))
        if len(repeated(rows)):
            if set(names) != set(SPANS.names):
                rows = self._read(ids, SPANS.names)  # only whole rows can tell a copy from a namesake
            rows = without_copies(rows, repeated(rows))
        return ordered(rows, ids).select(names)

    def _read(self, ids: list[bytes], names: list[str]) -> pa.Table:
        read = self._database.query if len(ids) <= _FEW else self._database.stream
        rows = read(
            f"SELECT {quoted(stored_columns(names))} FROM spans WHERE trace_id = ANY(%(ids)s::bytea[])", {"ids": ids}
        )
        return self._decoder.table(rows, pa.schema([SPANS.field(name) for name in names]))
