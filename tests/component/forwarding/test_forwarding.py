"""Forwarding through real servers: outages, restarts, caps, and messages that a receiver does not take."""

import gzip
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.forwarding.forwarder import Forwarder, ForwardSettings
from collector.forwarding.queue import ForwardQueue
from collector.journal.checkpoint import Checkpoint
from collector.journal.journal import Journal
from collector.loop_thread import LoopThread
from collector.pipeline.api import Request
from collector.pipeline.ingest import IngestPipeline, IngestSettings
from collector.pipeline.ledger import Ledger
from collector.pipeline.store import RELEASED, StoreSettings, StoreStage
from collector.receivers.otlp_grpc import OtlpGrpcReceiver
from collector.receivers.settings import GrpcSettings
from exporters.delivery import Client
from exporters.forward_otlp.grpc_client import OtlpGrpcClient, OtlpGrpcEndpoint
from exporters.forward_otlp.http_client import OtlpHttpClient
from exporters.http_client import HttpEndpoint
from storage.queries import Signal
from tests.receiving import BatchList, Received, logs_request, receiving, traces_request

BOTH = frozenset(Signal)
FAST = ForwardSettings(max_message_bytes=20_000, retry_seconds=0.02, max_retry_seconds=0.1)


@contextmanager
def sending(folder: Path, queue: ForwardQueue) -> Iterator[IngestPipeline]:
    """Run a pipeline whose stored segments go to a queue."""
    checkpoint = Checkpoint(folder / "checkpoint.json")
    journal = Journal(folder / "journal", 2**28, int(checkpoint.load().get(RELEASED, -1)))
    ledger = Ledger()
    store = StoreStage(StoreSettings(), journal, checkpoint, ledger, BatchList(), handover=queue.take)
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


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def submit(ingest: IngestPipeline, signal: Signal, *bodies: bytes) -> None:
    for future in [ingest.submit(Request(signal, body, "test")) for body in bodies]:
        future.result(timeout=10)


def span_ids(*bodies: bytes) -> Counter[bytes]:
    requests = [ExportTraceServiceRequest.FromString(body) for body in bodies]
    return Counter(s.span_id for q in requests for r in q.resource_spans for sc in r.scope_spans for s in sc.spans)


@dataclass
class Http:
    """An OTLP/HTTP receiver that answers as it is told and keeps what it accepted."""

    status: Callable[[bytes], int] = lambda _: 200
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
            self.send_header("Content-Length", "0")
            self.end_headers()

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


def test_an_outage_of_the_receiver_loses_nothing(tmp_path: Path) -> None:
    traces = [traces_request(30, seed) for seed in range(40)]
    with receiving(tmp_path / "down") as down:
        with listening(down, 0) as port:
            pass
        queue = ForwardQueue(tmp_path / "queue", 2**28, BOTH)
        client = OtlpGrpcClient(OtlpGrpcEndpoint(f"127.0.0.1:{port}", timeout_seconds=5))
        with sending(tmp_path / "up", queue) as ingest, forwarding(queue, client) as forwarder:
            submit(ingest, Signal.TRACES, *traces[:20])
            submit(ingest, Signal.LOGS, logs_request(7))
            until(lambda: forwarder.status.failing_since is not None)
            assert forwarder.status.queued_bytes > 0
            with listening(down, port):
                submit(ingest, Signal.TRACES, *traces[20:])
                until(lambda: forwarder.status.delivered == 40 * 30 + 7)
                until(lambda: queue.bytes == 0)
                status = forwarder.status
        assert (status.failing_since, status.rejected, status.dropped) == (None, 0, 0)
        stored = Counter(down.spans()["span_id"].to_pylist())
        assert stored == span_ids(*traces)
        assert down.logs().num_rows == 7
    assert not list((tmp_path / "queue").glob("0*"))


def test_what_is_queued_survives_a_restart_of_both(tmp_path: Path) -> None:
    traces = [traces_request(50, seed) for seed in range(30)]
    queue = ForwardQueue(tmp_path / "queue", 2**28, BOTH)
    with sending(tmp_path / "up", queue) as ingest:
        submit(ingest, Signal.TRACES, *traces[:15])
    assert queue.bytes > 0
    queue = ForwardQueue(tmp_path / "queue", 2**28, BOTH)
    with sending(tmp_path / "up", queue) as ingest:
        submit(ingest, Signal.TRACES, *traces[15:])
    told = Http()
    with http_server(told) as url:
        queue = ForwardQueue(tmp_path / "queue", 2**28, BOTH)
        with forwarding(queue, OtlpHttpClient(HttpEndpoint(url))):
            until(lambda: queue.bytes == 0)
    assert span_ids(*(body for _, body in told.accepted)) == span_ids(*traces)


def test_a_restart_in_the_middle_goes_on_where_it_was(tmp_path: Path) -> None:
    traces = [traces_request(20, seed) for seed in range(60)]
    queue = ForwardQueue(tmp_path / "queue", 2**28, BOTH)
    with sending(tmp_path / "up", queue) as ingest:
        submit(ingest, Signal.TRACES, *traces)
    told = Http()
    told.status = lambda _: 200 if len(told.accepted) < 3 else 503
    with http_server(told) as url:
        with forwarding(queue, OtlpHttpClient(HttpEndpoint(url))) as forwarder:
            until(lambda: forwarder.status.failing_since is not None)
        before = len(told.accepted)
        told.status = lambda _: 200
        queue = ForwardQueue(tmp_path / "queue", 2**28, BOTH)
        with forwarding(queue, OtlpHttpClient(HttpEndpoint(url))):
            until(lambda: queue.bytes == 0)
    assert before == 3
    assert span_ids(*(body for _, body in told.accepted)) == span_ids(*traces)  # nothing twice either


def test_a_segment_that_is_handed_over_again_is_queued_once(tmp_path: Path) -> None:
    queue = ForwardQueue(tmp_path / "queue", 2**28, BOTH)
    journal = Journal(tmp_path / "up", 2**28)
    taken = []
    ledger, checkpoint = Ledger(), Checkpoint(tmp_path / "checkpoint.json")

    def twice(segment: object) -> bool:
        taken.append(segment)
        assert queue.take(segment)  # type: ignore[arg-type]
        return queue.take(segment)  # type: ignore[arg-type]

    store = StoreStage(StoreSettings(), journal, checkpoint, ledger, BatchList(), handover=twice)  # type: ignore[arg-type]
    ingest = IngestPipeline(IngestSettings(), journal, ledger, store)
    ingest.start()
    submit(ingest, Signal.TRACES, traces_request(5))
    ingest.close()
    assert len(taken) == len(list((tmp_path / "queue").glob("0*"))) == 1
    queued = queue.first(1)
    assert queued is not None
    queue.finish(queued)
    reopened = ForwardQueue(tmp_path / "queue", 2**28, BOTH)
    assert reopened.first(0) is None
    assert not reopened.take(taken[0])  # type: ignore[arg-type]  # delivered before the crash


def test_at_its_cap_a_queue_takes_nothing_more_and_says_so(tmp_path: Path) -> None:
    queue = ForwardQueue(tmp_path / "queue", 5_000, BOTH)
    with sending(tmp_path / "up", queue) as ingest:
        for seed in range(6):
            submit(ingest, Signal.TRACES, traces_request(30, seed))
            time.sleep(0.05)
    assert 0 < queue.bytes <= 5_000
    assert queue.dropped[Signal.TRACES] > 0
    assert queue.dropped[Signal.LOGS] == 0


def test_only_the_signals_of_the_pipeline_are_sent(tmp_path: Path) -> None:
    told = Http()
    queue = ForwardQueue(tmp_path / "queue", 2**28, frozenset({Signal.LOGS}))
    with http_server(told) as url, sending(tmp_path / "up", queue) as ingest:
        client = OtlpHttpClient(HttpEndpoint(url, headers={"x-team": "red"}), signals=frozenset({Signal.LOGS}))
        with forwarding(queue, client) as forwarder:
            submit(ingest, Signal.TRACES, traces_request(5))
            submit(ingest, Signal.LOGS, logs_request(3))
            until(lambda: forwarder.status.delivered == 3)
    assert {path for path, _ in told.accepted} == {"/v1/logs"}
    assert told.headers["x-team"] == "red"


def test_a_message_that_is_refused_for_good_is_found_and_the_others_delivered(tmp_path: Path) -> None:
    traces = [traces_request(4, seed) for seed in range(16)]
    bad = next(iter(span_ids(traces[5])))
    told = Http(status=lambda body: 400 if bad in body else 200)
    queue = ForwardQueue(tmp_path / "queue", 2**28, BOTH)
    with http_server(told) as url, up(tmp_path, queue, url) as (ingest, forwarder):
        submit(ingest, Signal.TRACES, *traces)
        until(lambda: forwarder.status.delivered == 60)
        assert forwarder.status.rejected == 4
        until(lambda: queue.bytes == 0)
    assert span_ids(*(body for _, body in told.accepted)) == span_ids(*traces[:5], *traces[6:])


@pytest.mark.parametrize("status", [401, 404, 429, 500, 503])
def test_wrong_keys_wrong_paths_and_overload_are_waited_out(tmp_path: Path, status: int) -> None:
    told = Http()
    told.status = lambda _: 200 if len(told.times) > 3 else status
    queue = ForwardQueue(tmp_path / "queue", 2**28, BOTH)
    with http_server(told) as url, up(tmp_path, queue, url) as (ingest, forwarder):
        submit(ingest, Signal.TRACES, traces_request(3))
        until(lambda: forwarder.status.delivered == 3)
        assert forwarder.status.rejected == 0


def test_retry_after_is_honoured(tmp_path: Path) -> None:
    told = Http(retry_after="1")
    told.status = lambda _: 200 if len(told.times) > 1 else 503
    queue = ForwardQueue(tmp_path / "queue", 2**28, BOTH)
    with http_server(told) as url, up(tmp_path, queue, url) as (ingest, forwarder):
        submit(ingest, Signal.TRACES, traces_request(3))
        until(lambda: forwarder.status.delivered == 3)
    assert told.times[1] - told.times[0] >= 1.0


def test_what_the_receiver_rejects_in_part_is_counted(tmp_path: Path) -> None:
    bad = ExportTraceServiceRequest.FromString(traces_request(3))
    bad.resource_spans[0].scope_spans[0].spans[0].trace_id = b""
    queue = ForwardQueue(tmp_path / "queue", 2**28, BOTH)
    with receiving(tmp_path / "down") as down, listening(down, 0) as port:
        client = OtlpGrpcClient(OtlpGrpcEndpoint(f"127.0.0.1:{port}"))
        with sending(tmp_path / "up", queue) as ingest, forwarding(queue, client) as forwarder:
            submit(ingest, Signal.TRACES, bad.SerializeToString(), traces_request(2, seed=9))
            until(lambda: queue.bytes == 0 and forwarder.status.delivered > 0)
            assert forwarder.status.rejected == 1
        assert down.spans().num_rows == 4
