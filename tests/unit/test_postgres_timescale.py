"""Hypertables where the server has TimescaleDB, and what is said where it has not: one of the two is always tested."""

import os
from datetime import timedelta

import psycopg
import pytest
from pydantic import SecretStr

from storage.agents import AgentStorage
from storage.api import RetentionPolicy
from storage.errors import StorageRejected
from storage.postgres.local import LocalServer
from storage.postgres.settings import PostgresSettings
from storage.postgres.storage import open_postgres
from storage.queries import LogQuery, TraceQuery
from tests.contract.items import ALL_TIME, DAY, NOW, SECOND, batch, log, span
from tests.postgres import SERVER, has_timescale, new_database, open_database, running_server

DAY_NS = 86_400 * SECOND


def command(database: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(new_database(os.environ[SERVER], database), autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def test_hypertables_or_why_not(postgres_server: LocalServer) -> None:
    if has_timescale():
        check_compressed_chunks()
        check_a_server_that_has_not_loaded_it()
    else:
        with pytest.raises(StorageRejected, match="this server does not have the extension TimescaleDB"):
            open_database("timescale", timescaledb=True)


def check_compressed_chunks() -> None:
    """What was compressed is read, added to, stored once, found, paged and dropped like the rest."""
    store = open_database("timescale", timescaledb=True)
    store.purge()
    days = [DAY - timedelta(days=age) for age in (2, 1, 0)]
    batches = [
        batch(
            [span(start_time_unix_nano=NOW - age * DAY_NS, day=DAY - timedelta(days=age)) for _ in range(20)],
            [log(str(n), event_time_unix_nano=NOW - age * DAY_NS, day=DAY - timedelta(days=age)) for n in range(30)],
        )
        for age in (2, 1, 0)
    ]
    for each in batches:
        store.write(each)
    before = store.find_logs(LogQuery(ALL_TIME, limit=100)).records
    assert [name for (name,) in command("timescale", POLICIES)] == ["logs", "spans"]
    compressed = command("timescale", COMPRESS)
    assert len(compressed) == 4
    assert store.find_logs(LogQuery(ALL_TIME, limit=100)).records.equals(before)
    assert paged(store, 7) == before["body"].to_pylist()
    for each in batches:
        store.write(each)
    late = span(start_time_unix_nano=NOW - 2 * DAY_NS, day=days[0])
    store.write(batch([late]))
    assert store.overview(ALL_TIME).spans == 61
    assert store.get_traces([late["trace_id"]]).num_rows == 1
    assert len(store.find_traces(TraceQuery(ALL_TIME, limit=100, service_name="shop"))) == 61
    assert store.size().bytes_by_table["spans"] > 0
    assert store.enforce_retention(RetentionPolicy(spans_days=1, logs_days=1), NOW)[:2] == [
        f"logs/{days[0]}",
        f"spans/{days[0]}",
    ]
    assert (store.overview(ALL_TIME).spans, store.overview(ALL_TIME).logs) == (40, 60)
    store.close()
    check_its_schema_stays_so()


POLICIES = """
SELECT hypertable_name FROM timescaledb_information.jobs
WHERE proc_name = 'policy_compression' AND config->>'compress_after' = '7 days' ORDER BY 1
"""
COMPRESS = (
    f"SELECT compress_chunk(c) FROM show_chunks('baton.spans', older_than => DATE '{DAY}') AS c"
    f" UNION ALL SELECT compress_chunk(c) FROM show_chunks('baton.logs', older_than => DATE '{DAY}') AS c"
)


def paged(store: AgentStorage, limit: int) -> list[bytes]:
    """Read all log records page by page."""
    found, page = [], store.find_logs(LogQuery(ALL_TIME, limit=limit))
    while page.next is not None:
        found += page.records["body"].to_pylist()
        page = store.find_logs(LogQuery(ALL_TIME, limit=limit, after=page.next))
    return found + page.records["body"].to_pylist()


def check_its_schema_stays_so() -> None:
    """Neither kind of store becomes the other by a setting."""
    with pytest.raises(StorageRejected, match="were made with timescaledb: true"):
        open_database("timescale")
    plain = open_database("plain")
    plain.write(batch([span()]))
    plain.close()
    with pytest.raises(StorageRejected, match="choose another database_schema"):
        open_database("plain", timescaledb=True)
    open_database("plain").close()


def check_a_server_that_has_not_loaded_it() -> None:
    with running_server() as server, pytest.raises(StorageRejected, match="shared_preload_libraries"):
        open_postgres(PostgresSettings(dsn=SecretStr(server.dsn), timescaledb=True))
