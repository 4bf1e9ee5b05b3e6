"""`kill -9` at any moment: what was acknowledged is stored, once; what was not is whole or not there at all.

`BATON_KILLS` sets the number of kills (`make test-crash`: 25).
"""

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from collector.bench.api import Api
from collector.bench.server import ServerProcess
from tests.e2e.exporting import (
    Exporters,
    Fate,
    Sent,
    balanced_ledger,
    log_exporters,
    settle,
    stored_span_ids,
    trace_exporters,
)

KILLS = int(os.environ.get("BATON_KILLS", "2"))
_CHECKERS = 3
COUNT_ROWS = """
import json, sys
from storage.clickhouse.embedded import open_embedded
store = open_embedded(sys.argv[1])
print(json.dumps(store.size().rows))
store.close()
"""


def kill_at_random_moments(server: ServerProcess, kills: int, rng: random.Random) -> None:
    """Every fourth kill falls into the start, that is into the replay of what the one before left."""
    for number in range(kills):
        if number % 4 == 3:
            server.launch()
            time.sleep(rng.uniform(0.2, 2.5))
        else:
            server.start()
            with_api(server, balanced_ledger)
            time.sleep(rng.uniform(0.1, 2.5))
        assert server.is_running, server.log_tail()
        server.kill()


def with_api(server: ServerProcess, read):
    api = Api(server.endpoints.query)
    try:
        return read(api)
    finally:
        api.close()


def check_each(server: ServerProcess, requests: list[Sent]) -> Counter[str]:
    """Compare every request with what is stored of it, and return how many items are stored, by signal."""
    with ThreadPoolExecutor(_CHECKERS) as pool:
        parts = [requests[place::_CHECKERS] for place in range(_CHECKERS)]
        return sum(pool.map(lambda part: with_api(server, lambda api: _check(api, part)), parts), Counter())


def _check(api: Api, requests: list[Sent]) -> Counter[str]:
    stored: Counter[str] = Counter()
    for sent in requests:
        found = stored_span_ids(api, sent)
        if sent.fate is Fate.ACKNOWLEDGED or found:
            assert found == sent.span_ids(), (sent, len(found))
        stored[sent.signal] += len(found)
    return stored


def rows_on_disk(server: ServerProcess) -> dict[str, int]:
    """Count the rows that the stopped server's engine holds; reads would hide a row that is stored twice."""
    command = [sys.executable, "-c", COUNT_ROWS, str(server.data_dir / "clickhouse")]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def last_fates(clients: Exporters) -> list[Sent]:
    """Return each request once, as it ended: a resent one counts as acknowledged when any of its tries was."""
    last: dict[bytes, Sent] = {}
    for sent in clients.sent:
        if sent.trace_id not in last or sent.fate is Fate.ACKNOWLEDGED:
            last[sent.trace_id] = sent
    return list(last.values())


@pytest.mark.timeout(120 + 30 * KILLS)
def test_acknowledged_is_stored_exactly_after_kills(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    server = ServerProcess(tmp_path)
    with Exporters(trace_exporters(server) + log_exporters(server)) as clients:
        kill_at_random_moments(server, KILLS, random.Random(seed))
        server.start()
        time.sleep(1.0)
    try:
        ledger = with_api(server, settle)
        stored = check_each(server, clients.sent)
        assert {name: signal["stored"] for name, signal in ledger.items()} == stored
        assert server.stop() == 0
    finally:
        server.close()
    rows = rows_on_disk(server)
    assert (rows["spans"], rows["logs"]) == (stored["traces"], stored["logs"])
    acknowledged = sum(sent.fate is Fate.ACKNOWLEDGED for sent in clients.sent)
    print(f"seed {seed}: {acknowledged} of {len(clients.sent)} requests acknowledged, {stored} items stored once")
    assert acknowledged > 20 * KILLS, "the server was hardly under load"


def test_spans_that_clients_send_again_after_a_kill_are_stored_once(tmp_path: Path) -> None:
    """Spans have ids, so equal ones are one; equal log records may be two events, so they are not sent again here."""
    server = ServerProcess(tmp_path)
    with Exporters(trace_exporters(server, resend=True)) as clients:
        kill_at_random_moments(server, 1, random.Random(5))
        server.start()
        time.sleep(1.0)
    try:
        with_api(server, settle)
        requests = last_fates(clients)
        assert len(requests) < len(clients.sent), "nothing was sent again"
        stored = check_each(server, requests)
        assert server.stop() == 0
    finally:
        server.close()
    assert rows_on_disk(server)["spans"] == stored["traces"]
