"""What calls are counted exactly, rounded and estimated: the limits of `storage.clickhouse.dependencies`."""

import pytest

from storage.agents import AgentStorage
from storage.clickhouse import dependencies
from storage.queries import Dependency, TimeRange
from tests.contract.items import NOW, SECOND, Row, batch, span, trace_id

MINUTE = 60 * SECOND


@pytest.fixture
def store(engine: AgentStorage) -> AgentStorage:
    engine.purge()
    return engine


def calls(number: int, time: int) -> list[Row]:
    """Return a trace with one call from `front` to `db`."""
    ids = {"trace_id": trace_id(number), "start_time_unix_nano": time}
    parent = span(span_id=b"\1" * 8, service_name="front", **ids)
    return [parent, span(span_id=b"\2" * 8, parent_span_id=b"\1" * 8, service_name="db", **ids)]


def test_what_cannot_be_counted_in_time_is_estimated_from_whole_traces(
    store: AgentStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write(batch([row for number in range(1_000) for row in calls(number, NOW)]))
    time = TimeRange(NOW - MINUTE, NOW + MINUTE)
    monkeypatch.setattr(dependencies, "_JOIN_ROWS", 500)
    monkeypatch.setattr(dependencies, "_ENOUGH_SECONDS", 0.0)
    (estimate,) = store.dependencies(time)
    assert (estimate.parent, estimate.child) == ("front", "db")
    assert 700 < estimate.call_count < 1_300
    assert estimate.call_count % 4 == 0  # one share of four was joined
    monkeypatch.undo()
    store.purge()
    store.write(batch([row for number in range(1_000) for row in calls(number, NOW)]))
    assert store.dependencies(time) == [Dependency("front", "db", 1_000)]


def test_an_end_with_many_spans_is_rounded_to_its_minute(store: AgentStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    start = NOW // MINUTE * MINUTE
    store.write(batch([row for number in range(12) for row in calls(number, start + number * 10 * SECOND)]))
    time = TimeRange(start + 30 * SECOND, start + 90 * SECOND)
    assert store.dependencies(time) == [Dependency("front", "db", 6)]
    monkeypatch.setattr(dependencies, "_EXACT_ROWS", 3)
    assert store.dependencies(time) == [Dependency("front", "db", 12)]
