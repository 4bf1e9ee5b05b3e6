"""The real gRPC server over the real engine, which is filled through the server's own OTLP service."""

from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from collector.journal.checkpoint import Checkpoint
from collector.journal.journal import Journal
from collector.loop_thread import LoopThread
from collector.pipeline.ingest import IngestPipeline, IngestSettings
from collector.pipeline.ledger import Ledger
from collector.pipeline.store import StoreSettings, StoreStage
from collector.query.jaeger_grpc.server import JaegerGrpcServer, JaegerGrpcSettings
from collector.receivers.answers import Answers
from collector.receivers.auth import Anyone
from collector.receivers.grpc_calls import ExportCalls
from collector.receivers.settings import GrpcSettings
from storage.api import Storage
from tests.component.jaeger_grpc.client import Client
from tests.component.jaeger_grpc.town import request
from tests.waiting import until


@pytest.fixture(scope="module")
def storage(engine: Storage) -> Storage:
    engine.purge()
    return engine


@pytest.fixture(scope="module")
def channel(storage: Storage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[grpc.Channel]:
    folder: Path = tmp_path_factory.mktemp("ingest")
    journal, ledger = Journal(folder / "journal", 2**28), Ledger()
    store = StoreStage(StoreSettings(), journal, Checkpoint(folder / "checkpoint.json"), ledger, storage)
    ingest = IngestPipeline(IngestSettings(), journal, ledger, store)
    ingest.start()
    with LoopThread("test-grpc") as thread:
        server = JaegerGrpcServer(
            JaegerGrpcSettings("127.0.0.1", 0),
            storage,
            thread,
            lambda: ExportCalls(GrpcSettings(), ingest, Anyone(), Answers()),
        )
        server.start()
        with grpc.insecure_channel(f"127.0.0.1:{server.port}") as opened:
            yield opened
        server.close()
        server.close()
        assert not server.is_alive
    ingest.close()


@pytest.fixture(scope="module")
def write(channel: grpc.Channel, storage: Storage) -> Callable[[TracesData], None]:
    """Write through the port and wait until reads see it."""

    def export(data: TracesData) -> None:
        TraceServiceStub(channel).Export(request(data))
        ids = {span.trace_id for r in data.resource_spans for s in r.scope_spans for span in s.spans}
        until(lambda: set(storage.get_traces(list(ids), ["trace_id"])["trace_id"].to_pylist()) == ids)

    return export


@pytest.fixture(scope="module")
def client(channel: grpc.Channel) -> Client:
    return Client(channel)
