"""A process of its own around a store, for tests that kill it, reopen it or lock it. Answers JSON lines on stdout."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from storage.agents import AgentStorage
from storage.errors import StorageUnavailable
from storage.queries import LogQuery, TraceQuery
from tests.contract.engines import ENGINES
from tests.contract.items import ALL_TIME, numbered_batch


def main(engine: str, folder: str, action: str, *arguments: str) -> None:
    try:
        store = ENGINES[engine](Path(folder))
    except StorageUnavailable as error:
        say(refused=str(error))
        return
    ACTIONS[action](store, *arguments)
    store.close()


def say(**fields: object) -> None:
    print(json.dumps(fields), flush=True)


def write(store: AgentStorage, first: str, count: str, rows: str) -> None:
    """Write numbered batches, announcing each before and after."""
    for number in range(int(first), int(first) + int(count)):
        batch = numbered_batch(number, int(rows))
        say(writing=number)
        store.write(batch)
        say(written=number)


def count(store: AgentStorage) -> None:
    spans = store.overview(ALL_TIME).spans
    traces = len(store.find_traces(TraceQuery(ALL_TIME, limit=1_000_000)))
    logs = store.overview(ALL_TIME).logs
    page = store.find_logs(LogQuery(ALL_TIME, limit=10))
    say(
        spans=spans, traces=traces, logs=logs, page=len(page.records), services=store.services(), size=store.size().rows
    )


def idle(store: AgentStorage) -> None:
    say(open=store.engine)
    time.sleep(60)


ACTIONS: dict[str, Callable[..., None]] = {"write": write, "count": count, "idle": idle}

if __name__ == "__main__":
    main(*sys.argv[1:])
