"""What the PostgreSQL engine says when the server is gone, restarted, too old, too slow, or lets it do too little."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from storage.agents import AgentStorage
from storage.errors import QueryLimitExceeded, StorageRejected, StorageUnavailable
from storage.postgres import conditions, database, writer
from storage.postgres.errors import port_errors
from storage.postgres.local import LocalServer
from storage.postgres.settings import PostgresSettings
from storage.postgres.storage import open_postgres
from storage.queries import FieldCondition as Field
from storage.queries import Op, SpanField, TraceQuery
from tests.contract.conditions import FAILING, MATCHING, OTHER, SPAN
from tests.contract.items import ALL_TIME, batch, log, numbered_batch, span
from tests.postgres import SERVER, new_database, open_database, running_server


@pytest.fixture
def store(postgres_server: LocalServer) -> Iterator[AgentStorage]:
    opened = open_database("failures", query_seconds=1.0)
    opened.purge()
    yield opened
    opened.close()


def command(statement: str) -> None:
    with psycopg.connect(os.environ[SERVER], autocommit=True) as connection:
        connection.execute(statement.encode())


def terminate_sessions(which: str = "") -> None:
    command(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'failures' {which}")


def test_a_lost_connection_is_made_again(store: AgentStorage) -> None:
    written = batch([span()], [log()])
    store.write(written)
    terminate_sessions()
    assert len(store.find_traces(TraceQuery(ALL_TIME))) == 1
    terminate_sessions()
    store.write(batch([span()]))
    store.write(written)
    assert store.overview(ALL_TIME).spans == 2


def test_messages_do_not_quote_rows(postgres_server: LocalServer) -> None:
    with psycopg.connect(os.environ[SERVER]) as connection:
        connection.execute("CREATE TEMPORARY TABLE checked (card text CHECK (card = ''))")
        with pytest.raises(StorageUnavailable, match="violates check constraint") as raised, port_errors(writing=True):
            connection.execute("INSERT INTO checked VALUES ('4111 1111')")
    assert "4111" in str(raised.value.__cause__)
    assert "4111" not in str(raised.value)


def test_a_batch_of_which_one_half_was_stored_is_stored_once(
    store: AgentStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first half waits to be counted while the second is committed; then it is lost with its connection."""
    monkeypatch.setattr(writer, "_MIN_SHARED", 1_000)
    whole, earlier = numbered_batch(0, 2_000), numbered_batch(2_000, 2)
    store.write(earlier)  # makes the days
    with psycopg.connect(psycopg.conninfo.make_conninfo(os.environ[SERVER], dbname="failures")) as other:
        other.execute("SET search_path = baton")
        other.execute("LOCK TABLE histogram IN EXCLUSIVE MODE")
        with ThreadPoolExecutor(1) as pool:
            written = pool.submit(store.write, whole)
            while not (ids := other.execute("SELECT id FROM batches WHERE id <> 'numbered-2000'").fetchall()):
                assert not written.done()
                time.sleep(0.01)
            terminate_sessions("AND wait_event_type = 'Lock'")
            with pytest.raises(StorageUnavailable):
                written.result()
        assert ids == [("numbered-0/2",)]
        assert rows_of(other) == (1_002, 1_002)
        other.rollback()
        for _ in range(2):
            store.write(whole)
        other.execute("SET search_path = baton")
        assert rows_of(other) == (2_002, 2_002)
    assert store.overview(ALL_TIME).spans == 2_002


def rows_of(connection: "psycopg.Connection[tuple[Any, ...]]") -> tuple[int, ...]:
    """Count spans and log records, and see that no two are alike."""
    spans, spans_apart = connection.execute("SELECT count(*), count(DISTINCT span_id) FROM spans").fetchall()[0]
    logs, logs_apart = connection.execute("SELECT count(*), count(DISTINCT body) FROM logs").fetchall()[0]
    assert (spans, logs) == (spans_apart, logs_apart)
    return spans, logs


def test_a_restarted_server_is_used_again() -> None:
    with running_server() as server:
        dsn = SecretStr(new_database(server.dsn, "restarted"))
        store = open_postgres(PostgresSettings(dsn=dsn, connect_seconds=1.0))
        store.write(batch([span()], id="one"))
        server.stop("immediate")
        for call in (lambda: store.write(batch([span()], id="two")), store.ping, store.services):
            with pytest.raises(StorageUnavailable):
                call()
        server.start()
        for _ in range(3):
            try:
                store.write(batch([span()], id="two"))
                break
            except StorageUnavailable:
                continue  # a connection of before the restart; the pipeline writes again just so
        store.write(batch([span()], id="one"))
        assert store.overview(ALL_TIME).spans == 2
        store.close()


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(StorageUnavailable):
        open_postgres(PostgresSettings(dsn=SecretStr("host=127.0.0.1 port=1 user=x dbname=x"), connect_seconds=1.0))


def test_a_slow_query_is_stopped(store: AgentStorage) -> None:
    store.write(batch([span(name="a" * 10) for _ in range(10)]))
    with pytest.raises(QueryLimitExceeded):
        store._database.query("SELECT pg_sleep(5)")  # type: ignore[attr-defined]
    store.ping()


@pytest.mark.parametrize(("version", "major"), [(140_012, 14), (149_999, 14), (90_624, 9)])
def test_an_older_version_is_refused(version: int, major: int) -> None:
    with pytest.raises(StorageRejected, match=f"this server is PostgreSQL {major}; Baton needs 15 or newer"):
        database.check_version(version)
    for good in (150_000, 150_018, 170_002, 180_000):
        database.check_version(good)


def test_the_version_is_asked_of_the_server(postgres_server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "MIN_VERSION", 99)
    with pytest.raises(StorageRejected, match="Baton needs 99 or newer"):
        open_database("failures")


def test_a_database_that_is_not_there(postgres_server: LocalServer) -> None:
    dsn = psycopg.conninfo.make_conninfo(os.environ[SERVER], dbname="nowhere")
    with pytest.raises(StorageUnavailable, match='database "nowhere" does not exist'):
        open_postgres(PostgresSettings(dsn=SecretStr(dsn)))


def test_a_database_that_is_not_utf8_is_refused(postgres_server: LocalServer) -> None:
    command("DROP DATABASE IF EXISTS latin")
    command("CREATE DATABASE latin ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    with pytest.raises(StorageRejected, match="UTF8"):
        open_database("latin")


def test_a_store_of_a_newer_version_is_refused(postgres_server: LocalServer) -> None:
    open_database("newer").close()
    with psycopg.connect(new_database(os.environ[SERVER], "newer"), autocommit=True) as connection:
        connection.execute("INSERT INTO baton.schema_migrations (version, name) VALUES (999, 'later')")
    with pytest.raises(StorageRejected, match="upgrade"):
        open_database("newer")


def test_a_role_that_may_only_read(store: AgentStorage) -> None:
    """It answers; what it may not write stays in the journal, because people can grant the right."""
    store.write(batch([span()]))
    dsn = new_database(os.environ[SERVER], "failures")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("DROP OWNED BY reader" if _has_role(connection) else "CREATE ROLE reader LOGIN")
        connection.execute("GRANT USAGE ON SCHEMA baton TO reader")
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA baton TO reader")
    reader = open_postgres(PostgresSettings(dsn=SecretStr(psycopg.conninfo.make_conninfo(dsn, user="reader"))))
    assert len(reader.find_traces(TraceQuery(ALL_TIME))) == 1
    with pytest.raises(StorageUnavailable, match="lacks a right"):
        reader.write(batch([span()]))
    reader.close()


def _has_role(connection: "psycopg.Connection[tuple[object, ...]]") -> bool:
    return connection.execute("SELECT FROM pg_roles WHERE rolname = 'reader'").fetchone() is not None


def test_a_role_that_may_not_create(postgres_server: LocalServer) -> None:
    dsn = new_database(os.environ[SERVER], "forbidden")
    with psycopg.connect(dsn, autocommit=True) as connection:
        found = connection.execute("SELECT FROM pg_roles WHERE rolname = 'nobody'").fetchone()
        if found is None:
            connection.execute(sql.SQL("CREATE ROLE nobody LOGIN"))
    with pytest.raises(StorageUnavailable, match="lacks a right"):
        open_postgres(PostgresSettings(dsn=SecretStr(psycopg.conninfo.make_conninfo(dsn, user="nobody"))))


def test_a_password_is_not_shown() -> None:
    settings = PostgresSettings(dsn=SecretStr("postgresql://me:hidden@nowhere/db"))
    assert "hidden" not in repr(settings)


@pytest.mark.parametrize("pattern", [r"\pL", r"(?i:x)", r"\Qx\E"])
def test_what_postgres_cannot_search_for_is_said(store: AgentStorage, pattern: str) -> None:
    store.write(batch([span()]))
    with pytest.raises(StorageRejected, match="PostgreSQL cannot"):
        store.find_traces(TraceQuery(ALL_TIME, filter=Field(SpanField.NAME, Op.REGEX, pattern)))


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [(r"\bwo", True), ("(?i)WORD", True), ("two.words", True), ("(?s)two.words", True), (r"(?P<n>two)", True)],
)
def test_patterns_mean_what_they_mean_in_re2(store: AgentStorage, pattern: str, matches: bool) -> None:
    store.write(batch([span(name="two\nwords")]))
    found = store.find_traces(TraceQuery(ALL_TIME, filter=Field(SpanField.NAME, Op.REGEX, pattern)))
    assert bool(found) is matches


def test_keys_of_very_many_shapes_are_found_too(store: AgentStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same conditions when ids and places are not listed but looked up for each row."""
    monkeypatch.setattr(conditions, "MAX_LISTED", 0)
    store.write(batch([SPAN, OTHER]))

    def matches(part: object) -> bool:
        found = store.find_traces(TraceQuery(ALL_TIME, filter=part))  # type: ignore[arg-type]
        return SPAN["trace_id"] in {match.trace_id for match in found}

    assert [part for part in MATCHING if not matches(part)] == []
    assert [part for part in FAILING if matches(part)] == []
