"""Reads of a short time look at the granules of that time, not at the whole table."""

from collections.abc import Callable

import pyarrow as pa
import pytest

from storage.agents import AgentStorage
from storage.clickhouse.embedded import EmbeddedEngine
from storage.clickhouse.engine import Parameters, Settings
from storage.queries import LogQuery, TimeRange, TraceQuery
from tests.contract.items import NOW, SECOND, batch, log, span

_GRANULE = 1_024
_A_SECOND = 512
_SECONDS = 24
_TIME = TimeRange(NOW + 10 * SECOND, NOW + 11 * SECOND)

_READS: dict[str, Callable[[AgentStorage], object]] = {
    "log records": lambda store: store.find_logs(LogQuery(_TIME, limit=5)),
    "log records with a text": lambda store: store.find_logs(LogQuery(_TIME, text="order", limit=5)),
    "log records of a service": lambda store: store.find_logs(LogQuery(_TIME, service_name="shop", limit=5)),
    "log records, counted": lambda store: store.count_logs(LogQuery(_TIME), SECOND),
    "traces": lambda store: store.find_traces(TraceQuery(_TIME, limit=5)),
    "overview": lambda store: store.overview(_TIME),
}


@pytest.fixture(scope="module")
def store(engine: AgentStorage) -> AgentStorage:
    engine.purge()
    times = [NOW + second * SECOND + place for second in range(_SECONDS) for place in range(_A_SECOND)]
    spans = [span(start_time_unix_nano=time) for time in times]
    logs = [log("order", event_time_unix_nano=time) for time in times]
    engine.write(batch(spans, logs))
    return engine


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Rows that the engine means to read for each query over spans or log records."""
    query = EmbeddedEngine.query
    rows: list[int] = []

    def explained(
        self: EmbeddedEngine, sql: str, parameters: Parameters | None = None, settings: Settings | None = None
    ) -> pa.Table:
        if "FROM spans" in sql or "FROM logs" in sql:
            estimate = query(self, f"EXPLAIN ESTIMATE {sql}", parameters)
            rows.append(sum(estimate["rows"].to_pylist()))
        return query(self, sql, parameters, settings)

    monkeypatch.setattr(EmbeddedEngine, "query", explained)
    return rows


@pytest.mark.parametrize("read", _READS)
def test_a_second_is_read_from_its_granules(store: AgentStorage, looked_at: list[int], read: str) -> None:
    _READS[read](store)
    assert looked_at
    assert max(looked_at) <= 3 * _GRANULE
