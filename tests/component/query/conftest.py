"""The real app over the real embedded engine, filled through the real decoder."""

import threading
import uuid
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
from collector.receivers.tls_metrics import CertificateCollector
from collector.state import ServiceState
from storage.api import Batch, Storage
from storage.queries import Signal
from storage.schemas import AGENT_SPANS
from tests.component.query.shop import SECOND, T0, logs, traces
from tests.stored import table

NOW = T0 + 86_400 * SECOND  # for the app: a day after the shop's telemetry


@dataclass
class Service:
    """What the app is told about the process around it; tests change it."""

    state: ServiceState
    ledger: Ledger


@pytest.fixture(scope="module")
def storage(engine: Storage) -> Storage:
    """The engine, holding the shop's telemetry and nothing else."""
    engine.purge()
    engine.write(batch(f"shop-{uuid.uuid4()}", traces(), logs()))
    return engine


def batch(name: str, spans: bytes, records: bytes) -> Batch:
    """Return a batch of one traces and one logs message."""
    return Batch(name, table(Signal.TRACES, spans), table(Signal.LOGS, records), AGENT_SPANS.empty_table())


@pytest.fixture(scope="module")
def service() -> Service:
    return Service(ServiceState(journal_cap_bytes=1000), Ledger())


@pytest.fixture(scope="module")
def deps(storage: Storage, service: Service) -> QueryDependencies:
    metrics = Metrics("1.2.3")
    metrics.watch(lambda: service.state, service.ledger.snapshot)
    metrics.registry.register(CertificateCollector(dict))
    return QueryDependencies(
        storage=storage,
        ledger=service.ledger,
        state=lambda: service.state,
        metrics=metrics,
        version="1.2.3",
        clock=lambda: NOW,
    )


@pytest.fixture(scope="module")
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
