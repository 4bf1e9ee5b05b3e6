"""What the engine remembers of inserts is bounded; a batch is stored once all the same."""

from datetime import date, timedelta

import pyarrow as pa
import pytest

from storage.agents import AgentStorage
from storage.clickhouse import once
from tests.contract.items import DAY

DAYS = 250
COLUMNS = ["event_time_unix_nano", "service_name", "trace_id", "span_id", "body", "day"]


def rows() -> pa.Table:
    days = [DAY - timedelta(days=number) for number in range(DAYS)]
    times = [(day - date(1970, 1, 1)).days * 86_400 * 10**9 for day in days]
    texts = [f"{number}" for number in range(DAYS)]
    columns = [pa.array(times, pa.uint64()), texts, texts, texts, texts, pa.array(days, pa.date32())]
    return pa.table(columns, names=COLUMNS)


def test_a_batch_of_more_days_than_the_engine_remembers_is_stored_once(
    engine: AgentStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(once._KEYS, "few_tokens", once._KEYS["logs"])
    clickhouse = engine._engine
    clickhouse.command(
        """
        CREATE TABLE few_tokens (event_time_unix_nano UInt64, service_name String, trace_id String, span_id String,
            body String, day Date)
        ENGINE = MergeTree PARTITION BY day ORDER BY event_time_unix_nano
        SETTINGS non_replicated_deduplication_window = 240
        """
    )
    for _ in range(2):
        once.insert_once(clickhouse, "few_tokens", COLUMNS, rows(), "many")
    assert clickhouse.query("SELECT count() AS rows FROM few_tokens")["rows"][0].as_py() == DAYS
    clickhouse.command("DROP TABLE few_tokens")
