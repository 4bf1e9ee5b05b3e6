"""The app over the real engine, filled through the real pipeline and the transfer processor."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from collector.journal.checkpoint import Checkpoint
from collector.journal.journal import Journal
from collector.metrics import Metrics
from collector.pipeline.api import Request
from collector.pipeline.ingest import IngestPipeline, IngestSettings
from collector.pipeline.ledger import Ledger
from collector.pipeline.store import StoreSettings, StoreStage
from collector.processors.agent_stream.evaluate import Evaluator
from collector.processors.agent_stream.stage import TransferSettings, TransferStage
from collector.processors.agent_stream.worker import RuleWorker
from collector.processors.agent_transfers.options import make_options
from collector.query.app import build_app
from collector.query.dependencies import QueryDependencies
from collector.query.jaeger.transfers import transfers_of
from collector.query.jaeger_http import jaeger_router
from collector.query.server import QueryServer
from collector.receivers.listening import open_sockets
from collector.state import ServiceState
from storage.agents import AgentStorage, TransferQuery
from storage.queries import Signal
from tests.component.agents.desk import telemetry

TRANSFERS = 1 + 4 + 4 + 2  # of the refund, the loop, the ping-pong, and those that log records tell


@pytest.fixture(scope="module")
def storage(engine: AgentStorage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentStorage]:
    """The engine, holding the desk's telemetry and what was found in it."""
    engine.purge()
    folder: Path = tmp_path_factory.mktemp("agents")
    worker, journal = RuleWorker(make_options()), Journal(folder / "journal", 2**28)
    settings = TransferSettings(quiet_seconds=0.1, idle_poll_seconds=0.02)
    stage = TransferStage(settings, engine, Evaluator(engine, worker), Checkpoint(folder / "transfers.json"))
    store = StoreStage(
        StoreSettings(), journal, Checkpoint(folder / "checkpoint.json"), Ledger(), engine, (), agents=stage
    )
    ingest = IngestPipeline(IngestSettings(), journal, Ledger(), store)
    ingest.start()
    stage.start()
    told = telemetry()
    ingest.submit(Request(Signal.TRACES, told.traces_message(), "grpc")).result()
    ingest.submit(Request(Signal.LOGS, told.logs_message(), "grpc")).result()
    ingest.close()  # everything is stored, and told to the processor
    try:
        wait_for_transfers(engine, stage)
    finally:  # a thread that is left would keep the run from ending
        stage.close()
        worker.close()
    yield engine
    engine.purge()


def wait_for_transfers(engine: AgentStorage, stage: TransferStage) -> None:
    deadline = time.monotonic() + 60
    while stage.pending or engine.find_transfers(TransferQuery()).num_rows != TRANSFERS:
        assert time.monotonic() < deadline, engine.find_transfers(TransferQuery()).to_pylist()
        time.sleep(0.05)


@pytest.fixture(scope="module")
def http(storage: AgentStorage) -> Iterator[httpx.Client]:
    """A client of a real server, Jaeger's API included."""
    state, ledger, metrics = ServiceState(journal_cap_bytes=1000), Ledger(), Metrics("1.2.3")
    metrics.watch(lambda: state, ledger.snapshot)
    deps = QueryDependencies(
        storage=storage,
        ledger=ledger,
        state=lambda: state,
        metrics=metrics,
        version="1.2.3",
        routers=[jaeger_router(storage, transfers=transfers_of(storage))],
        stopping=threading.Event(),
    )
    server = QueryServer(build_app(deps), open_sockets("127.0.0.1", 0), deps.stopping)
    server.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=30) as client:
        yield client
    server.close()
