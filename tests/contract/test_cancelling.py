"""A read whose caller has gone away ends at once, and what it ran on serves the next."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import pytest

from storage.agents import AgentStorage
from storage.cancelling import Cancellation
from storage.clickhouse.storage import ClickHouseStorage
from storage.errors import QueryCancelled
from storage.postgres.storage import PostgresStorage

SECONDS = 20.0


def slow_read(store: AgentStorage, way: int = 0) -> Callable[[], object]:
    """Return a read that takes `SECONDS`, run in one of the ways in which the store runs its own."""
    if isinstance(store, ClickHouseStorage):
        engine = store._engine
        rows = f"SELECT sleepEachRow(0.1) FROM numbers({SECONDS * 10:.0f})"
        return lambda: engine.query(rows, settings={"max_block_size": 1})
    assert isinstance(store, PostgresStorage)
    database = store._database
    ways = (database.query, database.walk, database.stream)
    return lambda: ways[way](f"SELECT pg_sleep({SECONDS})")


@pytest.mark.parametrize("way", range(3))
def test_it_ends_at_once(store: AgentStorage, way: int) -> None:
    cancellation, read = Cancellation(), slow_read(store, way)
    with ThreadPoolExecutor(1) as caller, cancellation.covering():
        running = caller.submit(copy_context().run, read)
        time.sleep(0.3)
        assert not running.done()
        started = time.monotonic()
        cancellation.cancel()
        assert time.monotonic() - started < SECONDS / 2
        with pytest.raises(QueryCancelled):
            running.result()
        with pytest.raises(QueryCancelled):  # the next of the same caller does not even begin
            store.services()
    assert store.services() == []


def test_it_ends_also_when_it_only_begins(store: AgentStorage) -> None:
    for wait in (0.0, 0.001, 0.003, 0.01):
        cancellation, read = Cancellation(), slow_read(store)
        with ThreadPoolExecutor(1) as caller, cancellation.covering():
            running = caller.submit(copy_context().run, read)
            time.sleep(wait)
            started = time.monotonic()
            cancellation.cancel()
            with pytest.raises(QueryCancelled):
                running.result()
            assert time.monotonic() - started < SECONDS / 2


def test_other_callers_notice_nothing(store: AgentStorage) -> None:
    """Also those on the connection that the cancelled read had."""
    done = threading.Event()

    def ask() -> int:
        count = 0
        while not done.is_set():
            assert store.services() == []
            count += 1
        return count

    with ThreadPoolExecutor(3) as callers:
        others = [callers.submit(ask) for _ in range(2)]
        for _ in range(10):
            cancellation = Cancellation()
            with cancellation.covering():
                running = callers.submit(copy_context().run, slow_read(store))
            time.sleep(0.02)
            cancellation.cancel()
            with pytest.raises(QueryCancelled):
                running.result()
        done.set()
        assert all(other.result() > 0 for other in others)
