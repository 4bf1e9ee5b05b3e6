"""A pipeline that sends on what it stored, and receivers for it to send to."""

import gzip
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.forwarding.forwarder import Forwarder, ForwardSettings
from collector.forwarding.queue import ForwardQueue
from collector.forwards import Forwards
from collector.journal.checkpoint import Checkpoint
from collector.journal.journal import Journal, Segment
from collector.loop_thread import LoopThread
from collector.pipeline.api import Request
from collector.pipeline.ingest import IngestPipeline, IngestSettings
from collector.pipeline.ledger import Ledger
from collector.pipeline.store import RELEASED, StoreSettings, StoreStage
from collector.receivers.otlp_grpc import OtlpGrpcReceiver
from collector.receivers.settings import GrpcSettings
from exporters.delivery import Client
from exporters.forward_otlp.http_client import OtlpHttpClient
from exporters.http_client import HttpEndpoint
from storage.queries import Signal
from tests.receiving import BatchList, Received

BOTH = frozenset(Signal)
FAST = ForwardSettings(max_message_bytes=20_000, retry_seconds=0.02, max_retry_seconds=0.1)


@contextmanager
def sending(
    folder: Path, queue: ForwardQueue | Forwards, handover: Callable[[Segment], bool] | None = None
) -> Iterator[IngestPipeline]:
    """Run a pipeline whose stored segments go to a queue or all of them, or to what puts them there."""
    checkpoint = Checkpoint(folder / "checkpoint.json")
    journal = Journal(folder / "journal", 2**28, int(checkpoint.load().get(RELEASED, -1)))
    ledger = Ledger()
    store = StoreStage(StoreSettings(), journal, checkpoint, ledger, BatchList(), handover=handover or queue.take)
    ingest = IngestPipeline(IngestSettings(), journal, ledger, store)
    ingest.start()
    try:
        yield ingest
    finally:
        ingest.close()


@contextmanager
def forwarding(queue: ForwardQueue, client: Client, settings: ForwardSettings = FAST) -> Iterator[Forwarder]:
    forwarder = Forwarder("test", queue, client, settings)
    forwarder.start()
    try:
        yield forwarder
    finally:
        forwarder.close()
        assert not forwarder.is_alive


@contextmanager
def up(folder: Path, queue: ForwardQueue, url: str) -> Iterator[tuple[IngestPipeline, Forwarder]]:
    """Run a pipeline and what forwards its segments over HTTP."""
    with sending(folder / "up", queue) as ingest, forwarding(queue, OtlpHttpClient(HttpEndpoint(url))) as forwarder:
        yield ingest, forwarder


@dataclass
class Http:
    """An OTLP/HTTP receiver that answers as it is told and keeps what it accepted."""

    status: Callable[[bytes], int] = lambda _: 200
    said: bytes = b""
    retry_after: str = ""
    accepted: list[tuple[str, bytes]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)


@contextmanager
def http_server(told: Http) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = gzip.decompress(self.rfile.read(int(self.headers["Content-Length"])))
            told.times.append(time.monotonic())
            told.headers = dict(self.headers)
            status = told.status(body)
            if status == 200:
                told.accepted.append((self.path, body))
            self.send_response(status)
            if status != 200 and told.retry_after:
                self.send_header("Retry-After", told.retry_after)
            self.send_header("Content-Length", str(len(told.said)))
            self.end_headers()
            self.wfile.write(told.said)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def listening(down: Received, port: int) -> Iterator[int]:
    """Run the OTLP/gRPC receiver of a pipeline."""
    with LoopThread("test-grpc") as thread:
        receiver = OtlpGrpcReceiver(GrpcSettings("127.0.0.1", port), down.ingest, thread)
        receiver.start()
        try:
            yield receiver.port
        finally:
            receiver.close()


def submit(ingest: IngestPipeline, signal: Signal, *bodies: bytes) -> None:
    for future in [ingest.submit(Request(signal, body, "test")) for body in bodies]:
        future.result(timeout=10)


def span_ids(*bodies: bytes) -> Counter[bytes]:
    requests = [ExportTraceServiceRequest.FromString(body) for body in bodies]
    return Counter(s.span_id for q in requests for r in q.resource_spans for sc in r.scope_spans for s in sc.spans)
