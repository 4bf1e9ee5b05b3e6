"""Log search: order, paging, counting."""

import random

from storage.agents import AgentStorage
from storage.queries import AnyOf, Condition, Level, LogCursor, LogQuery, LogStream, Not, Op, TimeRange
from tests.contract.items import ALL_TIME, NOW, SECOND, Row, batch, log, resource, span, trace_id


def bodies(store: AgentStorage, query: LogQuery) -> list[str]:
    return [body.decode() for body in store.find_logs(query).records["body"].to_pylist()]


def all_pages(store: AgentStorage, limit: int, *, oldest_first: bool) -> list[str]:
    found: list[str] = []
    cursor: LogCursor | None = None
    while True:
        page = store.find_logs(LogQuery(ALL_TIME, limit=limit, after=cursor, oldest_first=oldest_first))
        found += [body.decode() for body in page.records["body"].to_pylist()]
        cursor = page.next
        if cursor is None:
            return found


def test_every_condition(store: AgentStorage) -> None:
    wanted: Row = {"trace_id": trace_id(7), "span_id": b"\0" * 7 + b"\7", "severity_number": 17, "service_name": "a"}
    rows = [log("wanted", **wanted)]
    for name, value in (("trace_id", b""), ("span_id", b""), ("severity_number", 16), ("service_name", "b")):
        rows.append(log("wanted", **{**wanted, name: value}))
    rows += [log("wanted", **wanted, event_time_unix_nano=NOW + shift) for shift in (-1, 1)]
    rows.append(log("other", **wanted))
    store.write(batch(logs=rows))
    query = LogQuery(
        TimeRange(NOW, NOW + 1),
        trace_id=wanted["trace_id"],
        span_id=wanted["span_id"],
        service_name="a",
        severity_min=17,
        text="WANT",
    )
    assert bodies(store, query) == ["wanted"]


def test_order_both_ways(store: AgentStorage) -> None:
    store.write(batch(logs=[log(str(n), event_time_unix_nano=NOW + n * SECOND) for n in (2, 0, 1)]))
    assert bodies(store, LogQuery(ALL_TIME)) == ["2", "1", "0"]
    assert bodies(store, LogQuery(ALL_TIME, oldest_first=True)) == ["0", "1", "2"]
    assert bodies(store, LogQuery(ALL_TIME, oldest_first=True, limit=2)) == ["0", "1"]


def test_pages_neither_skip_nor_repeat(store: AgentStorage) -> None:
    """Scattered and equal times: equal ones fill more than a page."""
    dice = random.Random(3)
    rows = [log(str(n), event_time_unix_nano=NOW - dice.choice([0, 0, 1, SECOND, 9_999 * SECOND])) for n in range(200)]
    store.write(batch(logs=rows[:100]))
    store.write(batch(logs=rows[100:]))
    for limit in (1_000, 50, 7):
        for oldest_first in (True, False):
            found = all_pages(store, limit, oldest_first=oldest_first)
            assert sorted(found) == sorted(str(n) for n in range(200))


def test_pages_hold_while_newer_records_arrive(store: AgentStorage) -> None:
    store.write(batch(logs=[log(str(n), event_time_unix_nano=NOW + n) for n in range(20)]))
    page = store.find_logs(LogQuery(ALL_TIME, limit=5))
    store.write(batch(logs=[log("new", event_time_unix_nano=NOW + 100)]))
    rest = bodies(store, LogQuery(ALL_TIME, after=page.next))
    assert rest == [str(n) for n in range(14, -1, -1)]


def test_streams_are_distinct_and_of_the_matching_records(store: AgentStorage) -> None:
    hosts = [resource("a", host="1"), resource("a", host="2"), resource("b", host="1")]
    rows = [log(service_name="a", resource=hosts[0], event_time_unix_nano=NOW + n) for n in range(3)]
    rows += [log(service_name="a", resource=hosts[1], severity_number=17)]
    rows += [log(service_name="b", resource=hosts[2]), log(service_name="", resource=b"")]
    store.write(batch([span(service_name="unseen")], rows))

    def streams(query: LogQuery) -> set[LogStream]:
        found = store.log_streams(query)
        assert len(found) == len(set(found))
        return set(found)

    every = {LogStream("a", hosts[0]), LogStream("a", hosts[1]), LogStream("b", hosts[2]), LogStream("", b"")}
    assert streams(LogQuery(ALL_TIME, limit=0)) == every
    assert streams(LogQuery(ALL_TIME, service_name="a")) == {LogStream("a", hosts[0]), LogStream("a", hosts[1])}
    assert streams(LogQuery(ALL_TIME, service_name="a", severity_min=10)) == {LogStream("a", hosts[1])}
    assert streams(LogQuery(TimeRange(NOW + 1, NOW + 3))) == {LogStream("a", hosts[0])}
    assert streams(LogQuery(TimeRange(NOW + 3, NOW + 4))) == set()
    assert streams(LogQuery(TimeRange(NOW, NOW))) == set()
    second = Condition("host", Op.EQ, "2", Level.RESOURCE)
    assert streams(LogQuery(ALL_TIME, filter=second)) == {LogStream("a", hosts[1])}
    assert streams(LogQuery(ALL_TIME, filter=Not(second))) == every - {LogStream("a", hosts[1])}
    assert streams(LogQuery(ALL_TIME, filter=AnyOf(()))) == set()


def test_counts_by_step_and_severity(store: AgentStorage) -> None:
    step = 60 * SECOND
    base = NOW // step * step
    times = [(base, 9), (base + step - 1, 9), (base + step - 1, 17), (base + step, 9), (base + 5 * step, 9)]
    store.write(batch(logs=[log(event_time_unix_nano=time, severity_number=severity) for time, severity in times]))
    counts = store.count_logs(LogQuery(TimeRange(base, base + 5 * step)), step)
    assert counts == [(base, 9, 2), (base, 17, 1), (base + step, 9, 1)]
