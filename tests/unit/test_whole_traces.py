"""Which columns of traces are read where spans share an id: all of them only where some may be copies."""

import pyarrow as pa
import pytest

from storage.traces import whole_traces
from tests.contract.items import NOW, span, spans_table

CLIENT = span(kind=3, service_name="front", start_time_unix_nano=NOW)
SERVER = {**CLIENT, "kind": 2, "service_name": "back", "start_time_unix_nano": NOW + 1}


@pytest.mark.parametrize(
    ("rows", "columns", "services", "reads"),
    [
        ([CLIENT, SERVER], ["service_name"], ["front", "back"], 1),
        ([CLIENT, SERVER, CLIENT], ["service_name"], ["front", "back"], 2),
        ([CLIENT, {**CLIENT, "kind": 1}, SERVER], ["service_name"], ["front", "front", "back"], 2),
        ([CLIENT, SERVER, CLIENT], None, ["front", "back"], 1),
        ([CLIENT], ["service_name"], ["front"], 1),
    ],
)
def test_whole_rows_are_read_where_spans_are_alike(
    rows: list[dict[str, object]], columns: list[str] | None, services: list[str], reads: int
) -> None:
    read: list[list[str]] = []

    def answer(ids: list[bytes], wanted: pa.Schema) -> pa.Table:
        read.append(wanted.names)
        return spans_table(rows).select(wanted.names)

    found = whole_traces([CLIENT["trace_id"]], columns, answer)
    assert found["service_name"].to_pylist() == services
    assert len(read) == reads
