"""Grafana's data sources over the real app and the real engine, which holds the shop's telemetry."""

import uuid
from collections.abc import Iterator

import httpx
import pytest

from collector.metrics import Metrics
from collector.pipeline.ledger import Ledger
from collector.query.app import build_app
from collector.query.dependencies import QueryDependencies
from collector.query.loki.router import loki_router
from collector.query.server import QueryServer
from collector.query.tempo.router import tempo_router
from collector.receivers.listening import open_sockets
from collector.state import ServiceState
from storage.api import Batch, Storage
from storage.queries import Signal
from storage.schemas import AGENT_SPANS
from tests.component.query.shop import logs, traces
from tests.stored import table


@pytest.fixture(scope="module")
def storage(engine: Storage) -> Storage:
    engine.purge()
    name = f"grafana-{uuid.uuid4()}"
    engine.write(Batch(name, table(Signal.TRACES, traces()), table(Signal.LOGS, logs()), AGENT_SPANS.empty_table()))
    return engine


@pytest.fixture(scope="module")
def server(storage: Storage) -> Iterator[str]:
    """Return the base URL of a real server."""
    deps = QueryDependencies(storage=storage, ledger=Ledger(), state=ServiceState, metrics=Metrics("1"), version="1")
    routers = (tempo_router(storage), loki_router(storage, deps.stopping))
    app = build_app(QueryDependencies(**{name: getattr(deps, name) for name in deps.__slots__} | {"routers": routers}))
    running = QueryServer(app, open_sockets("127.0.0.1", 0), deps.stopping)
    running.start()
    yield f"127.0.0.1:{running.port}"
    running.close()
    assert not running.is_alive


@pytest.fixture(scope="module")
def http(server: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://{server}", timeout=30) as client:
        yield client
