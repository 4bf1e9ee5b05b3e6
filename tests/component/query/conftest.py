"""The real app over the real embedded engine, filled through the real decoder."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from collector.metrics import Metrics
from collector.pipeline.ledger import Ledger
from collector.query.app import build_app
from collector.query.dependencies import QueryDependencies
from collector.query.server import QueryServer
from collector.receivers.listening import open_sockets
from collector.state import ServiceState
from storage.api import Batch, Signal, Storage
from storage.clickhouse.embedded import open_embedded
from storage.schemas import AGENT_SPANS
from tests.component.query.shop import logs, traces
from tests.stored import table


@dataclass
class Service:
    """What the app is told about the process around it; tests change it."""

    state: ServiceState
    ledger: Ledger


@pytest.fixture(scope="session")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    """One engine for all tests: a process can host only one."""
    opened = open_embedded(tmp_path_factory.mktemp("store"))
    opened.write(batch("shop", traces(), logs()))
    yield opened
    opened.close()


def batch(name: str, spans: bytes, records: bytes) -> Batch:
    """Return a batch of one traces and one logs message."""
    return Batch(name, table(Signal.TRACES, spans), table(Signal.LOGS, records), AGENT_SPANS.empty_table())


@pytest.fixture(scope="session")
def service() -> Service:
    return Service(ServiceState(journal_cap_bytes=1000), Ledger())


@pytest.fixture(scope="session")
def deps(storage: Storage, service: Service) -> QueryDependencies:
    metrics = Metrics("1.2.3")
    metrics.watch(lambda: service.state, service.ledger.snapshot)
    return QueryDependencies(
        storage=storage, ledger=service.ledger, state=lambda: service.state, metrics=metrics, version="1.2.3"
    )


@pytest.fixture(scope="session")
def http(deps: QueryDependencies) -> Iterator[httpx.Client]:
    """A client of a real server."""
    server = QueryServer(build_app(deps), open_sockets("127.0.0.1", 0), deps.stopping)
    server.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=30) as client:
        yield client
    server.close()
    assert not server.is_alive
    assert not [thread for thread in threading.enumerate() if thread.name == "baton-query"]


@pytest.fixture
def docs() -> Path:
    return Path(__file__).parents[3] / "docs"
