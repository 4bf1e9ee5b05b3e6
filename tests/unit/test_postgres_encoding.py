"""The rows of a batch are encoded in runs: cut anywhere, they are the same bytes."""

import pyarrow as pa
import pytest

from storage.postgres.encoding import copy_stream
from storage.postgres.tables import item_columns, prepare
from storage.schemas import LOGS, SPANS
from tests.contract.items import batch
from tests.contract.test_round_trip import LOG_CASES, SPAN_CASES


@pytest.mark.parametrize("run", [1, 2, 3, 7])
@pytest.mark.parametrize("signal", ["spans", "logs"])
def test_runs_of_rows_are_encoded_as_the_whole(signal: str, run: int) -> None:
    tables = batch([*SPAN_CASES.values()] * 2, [*LOG_CASES.values()] * 2)
    rows: pa.Table = getattr(tables, signal)
    assert rows.schema == {"spans": SPANS, "logs": LOGS}[signal]
    prepared = prepare(rows)
    runs = [prepared.slice(start, min(run, rows.num_rows - start)) for start in range(0, rows.num_rows, run)]
    columns = [item_columns(part) for part in runs]
    assert {tuple(part) for part in columns} == {tuple(item_columns(prepared))}
    encoded = [copy_stream(list(part.values()), each.rows.num_rows) for part, each in zip(columns, runs, strict=True)]
    whole = b"".join(copy_stream(list(item_columns(prepared).values()), rows.num_rows))
    assert b"".join(b"".join(pieces) for pieces in encoded) == whole
