"""Fixtures for every kind of test."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from storage.agents import AgentStorage
from storage.clickhouse.embedded import open_embedded
from storage.postgres.local import LocalServer
from storage.postgres.timescale import SERVER_OPTIONS
from tests import clickhouse
from tests.postgres import SERVER, has_timescale, open_database, running_server

settings.register_profile("untimed", deadline=None)  # timings are benchmarks, never tests
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentStorage]:
    """The one embedded engine that this process can host. Who uses it purges it first, and once for a module."""
    opened = open_embedded(tmp_path_factory.mktemp("store"))
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[LocalServer]:
    """A PostgreSQL server for the whole run."""
    with running_server(**(SERVER_OPTIONS if has_timescale() else {})) as server:
        os.environ[SERVER] = server.dsn
        yield server
        del os.environ[SERVER]


@pytest.fixture(scope="session")
def postgres_engine(postgres_server: LocalServer) -> Iterator[AgentStorage]:
    """A store on a database of its own. Who uses it purges it first."""
    opened = open_database("shared")
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def hypertables_engine(postgres_server: LocalServer) -> Iterator[AgentStorage]:
    """A store with hypertables, on a database of its own. Who uses it purges it first."""
    opened = open_database("hypertables", timescaledb=True)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def clickhouse_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A ClickHouse server for the whole run; its address is in the environment."""
    with clickhouse.running_server(tmp_path_factory.mktemp("clickhouse")):
        yield


@pytest.fixture(scope="session")
def clickhouse_engine(clickhouse_server: None) -> Iterator[AgentStorage]:
    """A store on a ClickHouse server. Who uses it purges it first."""
    opened = clickhouse.open_folder(Path("shared"))
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def clickhouse_cluster(clickhouse_server: None) -> Iterator[AgentStorage]:
    """A store on a ClickHouse cluster. Who uses it purges it first."""
    opened = clickhouse.open_folder_on_cluster(Path("shared"))
    yield opened
    opened.close()
