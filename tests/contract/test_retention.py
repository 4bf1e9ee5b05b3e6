"""Expiry by age and by size, in whole days; sizes."""

from datetime import date, timedelta

from storage.agents import AgentStorage
from storage.api import RetentionPolicy
from storage.queries import LogQuery, TraceQuery
from tests.contract.items import ALL_TIME, DAY, NOW, SECOND, Row, batch, log, resource, span

DAY_NS = 86_400 * SECOND


def fill(store: AgentStorage, days: int) -> list[date]:
    """Write 50 spans and 50 log records for each of the last days, oldest first; return the days."""
    found = []
    for age in reversed(range(days)):
        day = DAY - timedelta(days=age)
        start = NOW - age * DAY_NS
        at: Row = {"day": day, "resource": resource("shop", only_on=str(day))}
        spans = [span(start_time_unix_nano=start + n, **at) for n in range(50)]
        store.write(batch(spans, [log(event_time_unix_nano=start + n, **at) for n in range(50)]))
        found.append(day)
    return found


def days_left(store: AgentStorage) -> tuple[int, int]:
    traces = len(store.find_traces(TraceQuery(ALL_TIME, limit=10_000)))
    logs = store.find_logs(LogQuery(ALL_TIME, limit=10_000)).records.num_rows
    return traces // 50, logs // 50


def test_nothing_is_dropped_within_the_limits(store: AgentStorage) -> None:
    fill(store, 3)
    assert store.enforce_retention(RetentionPolicy(7, 7, 1 << 40), NOW) == []
    assert store.enforce_retention(RetentionPolicy(None, None, None), NOW + 10_000 * DAY_NS) == []
    assert days_left(store) == (3, 3)


def test_each_signal_has_its_own_age(store: AgentStorage) -> None:
    days = fill(store, 4)
    dropped = store.enforce_retention(RetentionPolicy(spans_days=1, logs_days=2), NOW)
    assert {name for name in dropped if name.startswith(("spans/", "logs/"))} == {
        f"spans/{days[0]}",
        f"spans/{days[1]}",
        f"logs/{days[0]}",
    }
    assert days_left(store) == (2, 3)
    assert store.enforce_retention(RetentionPolicy(spans_days=1, logs_days=2), NOW) == []
    # contexts of a day that still has log records stay readable
    oldest = store.find_logs(LogQuery(ALL_TIME, limit=1, oldest_first=True)).records
    assert oldest["resource"].to_pylist() == [resource("shop", only_on=str(days[1]))]
    assert store.size().oldest_day == str(days[1])


def test_the_oldest_days_go_until_the_store_is_under_the_cap(store: AgentStorage) -> None:
    days = fill(store, 4)
    cap = store.size().bytes_on_disk * 6 // 10
    dropped = store.enforce_retention(RetentionPolicy(None, None, cap), NOW)
    assert {name.split("/")[1] for name in dropped} == {str(days[0]), str(days[1])}
    assert days_left(store) == (2, 2)
    assert store.size().bytes_on_disk <= cap


def test_a_cap_of_nothing_empties_the_store_and_writing_goes_on(store: AgentStorage) -> None:
    fill(store, 2)
    store.enforce_retention(RetentionPolicy(max_bytes=0), NOW)
    assert days_left(store) == (0, 0)
    assert store.services() == []
    row = span()
    store.write(batch([row]))
    assert store.get_traces([row["trace_id"]])["resource"].to_pylist() == [row["resource"]]
    assert store.services() == ["shop"]


def test_sizes(store: AgentStorage) -> None:
    assert store.size().bytes_on_disk == 0
    assert store.size().oldest_day is None
    fill(store, 2)
    size = store.size()
    assert size.rows["spans"] == size.rows["logs"] == 100
    assert size.bytes_by_table["spans"] > 0
    assert size.bytes_on_disk == sum(size.bytes_by_table.values())
    assert size.oldest_day == str(DAY - timedelta(days=1))
