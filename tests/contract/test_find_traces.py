"""Trace search: one span satisfies all, order, paging, whole traces."""

import random
from dataclasses import replace

from storage.agents import AgentStorage
from storage.queries import Condition, Op, TimeRange, TraceCursor, TraceMatch, TraceQuery
from tests.contract.items import ALL_TIME, NOW, SECOND, Row, batch, span, spans_table, trace_id


def pages(store: AgentStorage, query: TraceQuery) -> list[TraceMatch]:
    """Return the matches of all pages."""
    found: list[TraceMatch] = []
    while True:
        after = TraceCursor(found[-1].newest_match_unix_nano, found[-1].trace_id) if found else None
        page = store.find_traces(
            TraceQuery(query.time, query.service_name, filter=query.filter, limit=query.limit, after=after)
        )
        assert len(page) <= query.limit
        if not page:
            return found
        found += page


def test_all_conditions_hold_for_one_span(store: AgentStorage) -> None:
    both = trace_id(900_001)
    split = trace_id(900_002)
    store.write(
        batch(
            [
                span([("a", "1"), ("b", "2")], trace_id=both, name="x"),
                span([("a", "1")], trace_id=split, name="x"),
                span([("b", "2")], trace_id=split, name="y"),
            ]
        )
    )
    query = TraceQuery(ALL_TIME, span_name="x", filter=Condition("b", Op.EQ, "2"))
    assert [match.trace_id for match in store.find_traces(query)] == [both]


def test_every_plain_condition(store: AgentStorage) -> None:
    wanted = span(service_name="a", name="n", kind=2, status_code=2, duration_ns=100, start_time_unix_nano=NOW)
    differing = [
        span(**{**_shared(wanted), "service_name": "b"}),
        span(**{**_shared(wanted), "name": "m"}),
        span(**{**_shared(wanted), "kind": 3}),
        span(**{**_shared(wanted), "status_code": 0}),
        span(**{**_shared(wanted), "duration_ns": 99}),
        span(**{**_shared(wanted), "duration_ns": 101}),
        span(**{**_shared(wanted), "start_time_unix_nano": NOW - 1}),
        span(**{**_shared(wanted), "start_time_unix_nano": NOW + 1}),
    ]
    store.write(batch([wanted, *differing]))
    query = TraceQuery(
        TimeRange(NOW, NOW + 1),
        service_name="a",
        span_name="n",
        kind=2,
        status_code=2,
        duration_min_ns=100,
        duration_max_ns=100,
    )
    assert store.find_traces(query) == [TraceMatch(wanted["trace_id"], NOW)]


def _shared(row: Row) -> Row:
    names = ("service_name", "name", "kind", "status_code", "duration_ns", "start_time_unix_nano")
    return {name: row[name] for name in names}


def test_newest_first_and_ties_by_id_descending(store: AgentStorage) -> None:
    ids = [trace_id(number) for number in (901_001, 901_002, 901_003)]
    store.write(
        batch(
            [
                span(trace_id=ids[0], start_time_unix_nano=NOW),
                span(trace_id=ids[1], start_time_unix_nano=NOW),
                span(trace_id=ids[2], start_time_unix_nano=NOW - 5 * SECOND),
                span(trace_id=ids[2], start_time_unix_nano=NOW - 9 * SECOND),
            ]
        )
    )
    assert store.find_traces(TraceQuery(ALL_TIME)) == [
        TraceMatch(ids[1], NOW),
        TraceMatch(ids[0], NOW),
        TraceMatch(ids[2], NOW - 5 * SECOND),
    ]


def test_pages_neither_skip_nor_repeat(store: AgentStorage) -> None:
    """Traces of several spans at scattered and at equal times, more than a few search windows of them."""
    dice = random.Random(7)
    rows = []
    for number in range(400):
        for _ in range(dice.randint(1, 4)):
            start = NOW - dice.choice([0, 1, 7, 3_600, 100_000]) * SECOND - dice.randint(0, 3)
            rows.append(span(trace_id=trace_id(910_000 + number), start_time_unix_nano=start))
    store.write(batch(rows))
    newest: dict[bytes, int] = {}
    for row in rows:
        newest[row["trace_id"]] = max(newest.get(row["trace_id"], 0), row["start_time_unix_nano"])
    expected = sorted(((start, identity) for identity, start in newest.items()), reverse=True)
    for limit in (1_000, 90, 7):
        found = pages(store, TraceQuery(ALL_TIME, limit=limit))
        assert [(match.newest_match_unix_nano, match.trace_id) for match in found] == expected


def test_a_trace_that_ends_a_page_does_not_come_again_from_an_older_window(store: AgentStorage) -> None:
    """Two matches of one trace, more spans between them than a search looks at first."""
    long, rare = trace_id(915_000), [trace_id(915_001 + number) for number in range(3)]
    rows = [span(start_time_unix_nano=NOW - (number + 1) * SECOND // 100) for number in range(17_000)]
    rows += [span(trace_id=long, name="rare", start_time_unix_nano=NOW - ago * SECOND) for ago in (0, 200)]
    rows += [
        span(trace_id=identity, name="rare", start_time_unix_nano=NOW - ago * SECOND)
        for identity, ago in zip(rare, (1, 190, 210), strict=True)
    ]
    store.write(batch(rows))
    query = TraceQuery(ALL_TIME, span_name="rare", limit=1)
    first = store.find_traces(query)
    assert [match.trace_id for match in first] == [long]
    after = TraceCursor(first[0].newest_match_unix_nano, long)
    rest = store.find_traces(replace(query, limit=20, after=after))
    assert [match.trace_id for match in rest] == rare


def test_pages_hold_while_newer_spans_arrive(store: AgentStorage) -> None:
    ids = [trace_id(920_000 + number) for number in range(30)]
    store.write(batch([span(trace_id=ids[n], start_time_unix_nano=NOW + n * SECOND) for n in range(30)]))
    first = store.find_traces(TraceQuery(ALL_TIME, limit=10))
    assert [match.trace_id for match in first] == ids[:19:-1]
    late = NOW + 100 * SECOND
    # a new trace, and a newer match of a trace of the first page and of one that was still to come
    store.write(
        batch([span(start_time_unix_nano=late), *(span(trace_id=ids[n], start_time_unix_nano=late) for n in (25, 5))])
    )
    last = first[-1]
    rest = store.find_traces(
        TraceQuery(ALL_TIME, limit=100, after=TraceCursor(last.newest_match_unix_nano, last.trace_id))
    )
    assert [match.trace_id for match in rest] == [identity for identity in ids[19::-1] if identity != ids[5]]


def test_absurd_times_are_found_where_they_are(store: AgentStorage) -> None:
    rows = [span(start_time_unix_nano=start) for start in (0, 1, 2**63, 2**64 - 1)]
    store.write(batch(rows))
    assert [match.newest_match_unix_nano for match in store.find_traces(TraceQuery(ALL_TIME))] == [
        2**64 - 1,
        2**63,
        1,
        0,
    ]
    assert len(store.find_traces(TraceQuery(TimeRange(-5, 1)))) == 1
    assert len(store.find_traces(TraceQuery(TimeRange(2**64 - 1, 2**64)))) == 1
    assert store.find_traces(TraceQuery(TimeRange(5, 5))) == []


def test_whole_traces_in_the_order_asked_for(store: AgentStorage) -> None:
    one, two = trace_id(930_001), trace_id(930_002)
    rows = [
        span(trace_id=two, start_time_unix_nano=NOW - 40 * 86_400 * SECOND),
        span(trace_id=one, start_time_unix_nano=NOW + 5),
        span(trace_id=one, start_time_unix_nano=NOW),
        span(trace_id=two, start_time_unix_nano=NOW),
    ]
    store.write(batch(rows[:2]))
    store.write(batch(rows[2:]))
    found = store.get_traces([two, trace_id(999_999), one, two])
    assert found["trace_id"].to_pylist() == [two, two, one, one]
    old = rows[0]["start_time_unix_nano"]
    assert found["start_time_unix_nano"].to_pylist() == [old, NOW, NOW, NOW + 5]


def test_spans_that_share_an_id_are_kept_apart(store: AgentStorage) -> None:
    client = span(kind=3, service_name="front")
    server = {**client, "kind": 2, "service_name": "back"}
    again = dict(client)
    store.write(batch([client, server]))
    store.write(batch([again]))
    found = store.get_traces([client["trace_id"]])
    assert sorted(found["kind"].to_pylist()) == [2, 3]
    chosen = store.get_traces([client["trace_id"]], ["kind", "span_id"])
    assert sorted(chosen["kind"].to_pylist()) == [2, 3]
    assert len(store.get_traces([client["trace_id"]], ["name"])) == 2


def test_a_trace_of_ten_thousand_spans(store: AgentStorage) -> None:
    identity = trace_id(940_000)
    rows = [span(trace_id=identity, start_time_unix_nano=NOW + number) for number in range(10_000)]
    store.write(batch(rows))
    found = store.get_traces([identity])
    assert found.equals(spans_table(rows))
    assert store.find_traces(TraceQuery(ALL_TIME)) == [TraceMatch(identity, NOW + 9_999)]
