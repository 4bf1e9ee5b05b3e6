"""The real app with Jaeger's routes and the UI over the real embedded engine."""

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status, TracesData

from collector.metrics import Metrics
from collector.otlp.json import to_protobuf
from collector.pipeline.ledger import Ledger
from collector.query.app import build_app
from collector.query.dependencies import QueryDependencies
from collector.query.jaeger.service import JaegerLimits
from collector.query.jaeger_http import jaeger_router
from collector.query.server import QueryServer
from collector.query.ui import UiSettings, mount_ui
from collector.receivers.listening import open_sockets
from collector.state import ServiceState
from exporters.jaeger.transfers import Transfers
from storage.agents import AgentStorage
from storage.api import Batch, empty_logs
from storage.queries import Signal
from storage.schemas import AGENT_SPANS
from tests.stored import table

CHECKOUT = Path(__file__).parents[2] / "data" / "jaeger" / "checkout.otlp.json"
T0 = 1_763_700_000 * 10**9

Serve = Callable[..., AbstractContextManager[httpx.Client]]


@pytest.fixture(scope="module")
def storage(engine: AgentStorage) -> AgentStorage:
    """The engine, holding the checkout trace and three small ones of the service `batch`, a minute apart."""
    engine.purge()
    spans = table(Signal.TRACES, to_protobuf(Signal.TRACES, CHECKOUT.read_bytes()), small_traces())
    engine.write(Batch(str(uuid.uuid4()), spans, empty_logs(), AGENT_SPANS.empty_table()))
    return engine


def small_traces() -> bytes:
    data = TracesData()
    resource = data.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "batch/jobs"
    spans = resource.scope_spans.add().spans
    for number in (1, 2, 3):
        span = spans.add(trace_id=bytes(15) + bytes([number]), span_id=b"batchjob", name="run", kind=2)
        span.start_time_unix_nano = T0 + number * 60 * 10**9
        span.end_time_unix_nano = span.start_time_unix_nano + number * 10**6
        span.attributes.add(key="job").value.int_value = number
        span.status.code = Status.STATUS_CODE_ERROR if number == 3 else Status.STATUS_CODE_UNSET
    return data.SerializeToString()


@pytest.fixture(scope="module")
def serve(storage: AgentStorage) -> Serve:
    """Start a server of one's own."""

    @contextmanager
    def start(
        ui: UiSettings | None = None,
        limits: JaegerLimits | None = None,
        transfers: Transfers | None = None,
        base_path: str = "",
    ) -> Iterator[httpx.Client]:
        state, ledger, metrics = ServiceState(journal_cap_bytes=1000), Ledger(), Metrics("1.2.3")
        metrics.watch(lambda: state, ledger.snapshot)
        find = (lambda _: transfers) if transfers is not None else None
        deps = QueryDependencies(
            storage=storage,
            ledger=ledger,
            state=lambda: state,
            metrics=metrics,
            version="1.2.3",
            base_path=base_path,
            routers=[jaeger_router(storage, limits or JaegerLimits(), find)],
            stopping=threading.Event(),
        )
        app = build_app(deps)
        mount_ui(app, ui or UiSettings(version="1.2.3", endpoints=[("OTLP/gRPC", "localhost:4317 <here>")]))
        server = QueryServer(app, open_sockets("127.0.0.1", 0), deps.stopping)
        server.start()
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=30) as client:
                yield client
        finally:
            server.close()

    return start


@pytest.fixture(scope="module")
def http(serve: Serve) -> Iterator[httpx.Client]:
    with serve() as client:
        yield client
