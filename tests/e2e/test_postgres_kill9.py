"""`kill -9` of a Baton that writes to PostgreSQL: what was acknowledged is stored, once. See test_kill9.py.

The server is Baton's own, as with `make run STORAGE=postgres`: it survives the kill and is found again.
"""

import os
import random
import tempfile
import time
from pathlib import Path

import psycopg
import pytest

from collector.bench.server import ServerProcess, scratch_folder
from storage.postgres.local import LocalServer
from tests.e2e.exporting import Exporters, Fate, log_exporters, settle, trace_exporters
from tests.e2e.test_kill9 import check_each, kill_at_random_moments, with_api
from tests.postgres import install

KILLS = int(os.environ.get("BATON_KILLS", "2"))


@pytest.mark.timeout(120 + 30 * KILLS)
def test_acknowledged_is_stored_exactly_after_kills() -> None:
    install()
    seed = random.randrange(2**32)
    with scratch_folder(Path(tempfile.gettempdir())) as folder:
        server = ServerProcess(folder, {"exporters": {"storage": {"engine": "postgres"}}})
        postgres = LocalServer(server.data_dir / "pg")
        try:
            with Exporters(trace_exporters(server) + log_exporters(server)) as clients:
                kill_at_random_moments(server, KILLS, random.Random(seed))
                server.start()
                time.sleep(1.0)
            ledger = with_api(server, settle)
            stored = check_each(server, clients.sent)
            assert {name: signal["stored"] for name, signal in ledger.items()} == stored
            rows = [count(postgres, table) for table in ("spans", "logs")]
            assert rows == [stored["traces"], stored["logs"]]
            assert server.stop() == 0
            assert not postgres.is_running
        finally:
            server.close()
            postgres.stop("immediate")
    acknowledged = sum(sent.fate is Fate.ACKNOWLEDGED for sent in clients.sent)
    print(f"seed {seed}: {acknowledged} of {len(clients.sent)} requests acknowledged, {stored} items stored once")
    assert acknowledged > 20 * KILLS, "the server was hardly under load"


def count(postgres: LocalServer, table: str) -> int:
    """Count the rows that are there; reads would hide a row that is stored twice."""
    with psycopg.connect(postgres.dsn) as connection:
        row = connection.execute(f"SELECT count(*) FROM baton.{table}".encode()).fetchone()
    assert row is not None
    return int(row[0])
