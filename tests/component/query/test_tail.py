"""The live tail: over HTTP, and poll by poll against the real engine."""

import asyncio
import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import replace

import httpx
import orjson
import pytest

from collector.query import log_tail
from collector.query.app import build_app
from collector.query.dependencies import QueryDependencies
from collector.query.log_search import LogFilter
from collector.query.log_tail import OVERLAP_NS, LogTail
from collector.query.server import QueryServer
from collector.receivers.listening import open_sockets
from storage.api import Storage
from tests.component.query.conftest import NOW, batch
from tests.component.query.shop import SECOND, T0, logs_message, record
from tests.waiting import until

_numbers = itertools.count()
# Far from the shop's records and from each other.
_starts = itertools.count(10_000, 1_000)


@pytest.fixture
def second() -> int:
    """A point in time, in seconds after T0, that no other test uses."""
    return next(_starts)


def write(storage: Storage, *records: tuple[int, str], service: str = "tailed") -> None:
    """Store records given as (milliseconds after T0, body)."""
    message = logs_message({service: [record(at, 9, body) for at, body in records]})
    storage.write(batch(f"tail-{next(_numbers)}", b"", message))


def bodies(tail: LogTail, at_second: float) -> list[str]:
    return [row["body"] for row in tail.poll(T0 + int(at_second * SECOND)).rows]


def tail_of(storage: Storage, start: int | None = None) -> LogTail:
    return LogTail(storage, LogFilter(service="tailed").query, start)


def test_gives_what_arrives_once_and_in_order(storage: Storage, second: int) -> None:
    write(storage, (second * 1000, "before"))
    tail = tail_of(storage)
    assert bodies(tail, second) == []
    write(storage, (second * 1000 + 20, "b"), (second * 1000 + 10, "a"))
    assert bodies(tail, second + 1) == ["a", "b"]
    assert bodies(tail, second + 1.5) == []


def test_late_records_come_once(storage: Storage, second: int) -> None:
    tail = tail_of(storage)
    assert bodies(tail, second) == []
    write(storage, (second * 1000 + 500, "on time"))
    assert bodies(tail, second + 1) == ["on time"]
    write(storage, (second * 1000 - 5000, "five seconds late"))
    assert bodies(tail, second + 1.5) == ["five seconds late"]
    assert bodies(tail, second + 2) == []


def test_equal_records_are_records_of_their_own(storage: Storage, second: int) -> None:
    tail = tail_of(storage)
    assert bodies(tail, second) == []
    write(storage, (second * 1000, "same"), (second * 1000, "same"))
    assert bodies(tail, second + 1) == ["same", "same"]
    write(storage, (second * 1000, "same"))
    assert bodies(tail, second + 2) == ["same"]
    assert bodies(tail, second + 3) == []


def test_history_from_a_start(storage: Storage, second: int) -> None:
    write(storage, (second * 1000, "old"), (second * 1000 + 30_000, "young"))
    tail = tail_of(storage, T0 + (second - 1) * SECOND)
    assert bodies(tail, second + 31) == ["old", "young"]
    assert bodies(tail, second + 32) == []


def test_nothing_of_before_the_start(storage: Storage, second: int) -> None:
    write(storage, (second * 1000 - 4000, "before"), (second * 1000, "at the start"))
    tail = tail_of(storage, T0 + second * SECOND)
    assert bodies(tail, second - 60) == []
    assert bodies(tail, second + 1) == ["at the start"]
    assert bodies(tail, second + 2) == []


def test_a_flood_shows_the_newest_and_says_so(storage: Storage, second: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_tail, "PAGE", 3)
    tail = tail_of(storage)
    assert bodies(tail, second) == []
    write(storage, *((second * 1000 + index, str(index)) for index in range(10)))
    news = tail.poll(T0 + (second + 1) * SECOND)
    assert ([row["body"] for row in news.rows], news.skipped) == (["7", "8", "9"], True)
    assert tail.poll(T0 + (second + 2) * SECOND).rows == []


def test_a_long_history_shows_the_newest_and_says_so(
    storage: Storage, second: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_tail, "PAGE", 3)
    write(storage, *((second * 1000 + index, str(index)) for index in range(4)))
    news = tail_of(storage, T0 + second * SECOND).poll(T0 + (second + 1) * SECOND)
    assert ([row["body"] for row in news.rows], news.skipped) == (["1", "2", "3"], True)


def test_what_is_remembered_is_forgotten(storage: Storage, second: int) -> None:
    tail = tail_of(storage)
    bodies(tail, second)
    write(storage, *((second * 1000 + index, str(index)) for index in range(10)))
    assert len(bodies(tail, second + 1)) == 10
    assert bodies(tail, second + 2 + OVERLAP_NS // SECOND) == []
    assert tail._seen == {}


def events(lines: Iterator[str]) -> Iterator[dict[str, object]]:
    for line in lines:
        if line.startswith("data: "):
            yield orjson.loads(line.removeprefix("data: "))


def test_server_sent_events(http: httpx.Client, storage: Storage) -> None:
    shown = threading.Event()

    def write_until_shown() -> None:
        while not shown.wait(0.3):  # what the first poll finds was there before
            write(storage, ((NOW - T0) // 10**6, "hello"), service="live")

    with http.stream("GET", "/api/v1/logs/tail?service=live") as answer, ThreadPoolExecutor(1) as writer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        written = writer.submit(write_until_shown)
        try:
            row = next(events(answer.iter_lines()))
        finally:
            shown.set()
        written.result()
    assert (row["body"], row["service"]) == ("hello", "live")


def test_bad_filters_are_refused_before_the_stream(http: httpx.Client) -> None:
    for parameters, parameter in (("where=a", "where"), ("severity=x", "severity"), ("start=x", "start")):
        answer = http.get(f"/api/v1/logs/tail?{parameters}")
        assert (answer.status_code, answer.json()["parameter"]) == (400, parameter)


def test_no_more_tails_are_open_than_may_be_however_many_come_at_once(deps: QueryDependencies) -> None:
    own = replace(deps, stopping=threading.Event())  # where no tail of another test still has its place
    server = QueryServer(build_app(own), open_sockets("127.0.0.1", 0), own.stopping)
    server.start()

    async def statuses(count: int) -> list[int]:
        async with httpx.AsyncClient(timeout=30) as client, AsyncExitStack() as open_ones:
            tail = httpx.Request("GET", f"http://127.0.0.1:{server.port}/api/v1/logs/tail")
            answers = await asyncio.gather(*(client.send(tail, stream=True) for _ in range(count)))
            for answer in answers:
                open_ones.push_async_callback(answer.aclose)
            return [answer.status_code for answer in answers]

    most = deps.limits.max_tails
    try:
        assert sorted(asyncio.run(statuses(3 * most))) == [200] * most + [503] * 2 * most
        # closed ones give their places back once the server notices
        until(lambda: 503 not in asyncio.run(statuses(most)))
    finally:
        server.close()
