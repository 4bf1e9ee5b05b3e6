"""Precision and recall on the captures through a running Baton: real receivers, engine and API, in every delivery mode.

One server hosts all modes, emptied in between. What it answers has to be, row for row, what the rules find offline.
"""

import time
from collections.abc import Iterator

import httpx
import pytest

from collector.bench.server import ServerProcess
from collector.processors.agent_transfers.model import Transfer
from tests.agents.delivery import captured, delivered, read_transfers, send
from tests.agents.harness import CORPUS, MODES, Scenario, detect_store, load, score, store_of, table

QUIET_SECONDS = 0.5
SETTINGS = {
    "processors": {"agent_transfers": {"quiet_period": f"{int(QUIET_SECONDS * 1000)}ms"}},
    "extensions": {"admin": {"allow_purge": True}},
}


@pytest.fixture(scope="module")
def corpus() -> list[Scenario]:
    return load()


@pytest.fixture(scope="module")
def expected(corpus: list[Scenario]) -> dict[str, Transfer]:
    return {row.id: row for row in detect_store(*store_of(corpus, "plain"))}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("live"), SETTINGS) as running:
        yield running


def settled(server: ServerProcess, expected: dict[str, Transfer]) -> list[Transfer]:
    """Return the rows once they are as expected and stay so, or when it has taken too long."""
    deadline = time.monotonic() + 90
    while True:
        rows = read_transfers(server.endpoints.query)
        if {row.id: row for row in rows} == expected:
            time.sleep(2 * QUIET_SECONDS)
            return read_transfers(server.endpoints.query)
        if time.monotonic() > deadline:
            return rows
        time.sleep(0.25)


@pytest.mark.parametrize("mode", MODES)
def test_the_running_service_meets_the_bars(
    corpus: list[Scenario],
    expected: dict[str, Transfer],
    server: ServerProcess,
    mode: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    httpx.post(f"http://{server.endpoints.query}/api/v1/admin/purge", timeout=30).raise_for_status()
    assert read_transfers(server.endpoints.query) == []
    started = time.monotonic()
    requests = delivered(captured(CORPUS), mode)
    send(server.endpoints.otlp_http, requests)
    rows = settled(server, expected)
    total, sets = score(corpus, rows)
    with capsys.disabled():
        seconds = time.monotonic() - started
        print(f"\nthrough the running service, {mode}: {len(requests)} requests, {seconds:.0f} s\n{table(total, sets)}")
    assert total.precision >= 0.99, total.notes
    assert total.recall >= 0.97, total.notes
    assert total.false_in_clean == 0, total.notes
    assert {row.id: row for row in rows} == expected
    times = [(row.time_unix_nano, row.id) for row in rows]
    assert times == sorted(times, reverse=True)
    assert len(set(times)) == len(times)
