"""What a receiver is sent, and what follows from its answer."""

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from structlog.testing import capture_logs
from structlog.typing import EventDict

from collector.forwarding.queue import ForwardQueue
from exporters.delivery import DeliveryDelayed
from exporters.forward_otlp.grpc_client import OtlpGrpcClient, OtlpGrpcEndpoint
from exporters.forward_otlp.http_client import OtlpHttpClient
from exporters.http_client import HttpEndpoint, retry_after
from storage.queries import Signal
from tests.component.forwarding.relay import (
    BOTH,
    Http,
    forwarding,
    http_server,
    listening,
    sending,
    span_ids,
    submit,
    up,
)
from tests.receiving import logs_request, receiving, traces_request
from tests.waiting import until


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


def deliver(tmp_path: Path, told: Http) -> None:
    """Send three spans, and return once all are delivered and none was given up."""
    queue = ForwardQueue(tmp_path / "queue", 2**28, BOTH)
    with http_server(told) as url, up(tmp_path, queue, url) as (ingest, forwarder):
        submit(ingest, Signal.TRACES, traces_request(3))
        until(lambda: forwarder.status.delivered == 3)
        assert forwarder.status.rejected == 0


@pytest.mark.parametrize("status", [401, 404, 429, 500, 503])
def test_wrong_keys_wrong_paths_and_overload_are_waited_out(tmp_path: Path, status: int) -> None:
    told = Http()
    told.status = lambda _: 200 if len(told.times) > 3 else status
    deliver(tmp_path, told)


def test_retry_after_is_honoured(tmp_path: Path) -> None:
    told = Http(retry_after="1")
    told.status = lambda _: 200 if len(told.times) > 1 else 503
    deliver(tmp_path, told)
    assert told.times[1] - told.times[0] >= 1.0


def test_a_receiver_that_says_at_once_is_not_asked_without_end(tmp_path: Path) -> None:
    told = Http(retry_after="0")
    told.status = lambda _: 200 if len(told.times) > 3 else 503
    deliver(tmp_path, told)
    assert told.times[3] - told.times[0] >= 0.3


@contextmanager
def grpc_server(answer: Callable[[bytes, grpc.ServicerContext], bytes]) -> Iterator[OtlpGrpcClient]:
    """Run a receiver of traces that answers like this; give a client of it."""
    methods = {"Export": grpc.unary_unary_rpc_method_handler(answer)}
    server = grpc.server(ThreadPoolExecutor(1))
    service = "opentelemetry.proto.collector.trace.v1.TraceService"
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, methods)])
    client = OtlpGrpcClient(OtlpGrpcEndpoint(f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"))
    server.start()
    try:
        yield client
    finally:
        client.close()
        server.stop(0).wait()


def test_details_that_cannot_be_read_are_a_failure_like_others() -> None:
    def busy(_: bytes, context: grpc.ServicerContext) -> bytes:
        context.set_trailing_metadata((("grpc-status-details-bin", b"\xff\xff"),))
        context.abort(grpc.StatusCode.UNAVAILABLE, "busy")

    with grpc_server(busy) as client, pytest.raises(DeliveryDelayed, match="UNAVAILABLE") as raised:
        client.send(Signal.TRACES, b"")
    assert raised.value.answer == "busy"


def shown(logs: list[EventDict]) -> str:
    """Return what is logged unless somebody asks for more."""
    return str([line for line in logs if line["log_level"] != "debug"])


def test_a_receiver_that_rejects_everything_does_not_flood_the_log(tmp_path: Path) -> None:
    queue = ForwardQueue(tmp_path / "queue", 2**28, BOTH)
    told = Http(status=lambda _: 400)
    with capture_logs() as logs, http_server(told) as url, up(tmp_path, queue, url) as (ingest, forwarder):
        submit(ingest, Signal.TRACES, *(traces_request(3, seed) for seed in range(20)))
        submit(ingest, Signal.LOGS, *(logs_request(2) for _ in range(20)))
        until(lambda: forwarder.status.rejected == 20 * 3 + 20 * 2)
    lines = [line for line in logs if line["event"] == "forward_rejected"]
    assert len(lines) == 3
    assert (lines[0]["items"], sum(line["items"] for line in lines)) == (3, 100)


@pytest.mark.parametrize("value", ["soon", "", "Mon, 01 Jan 2027 00:00:00 +99999999999999"])
def test_a_retry_after_that_cannot_be_read_is_none(value: str) -> None:
    assert retry_after(value, datetime.now(UTC)) is None


@pytest.mark.parametrize("status", [400, 503])
def test_what_a_receiver_quotes_is_not_in_the_log(tmp_path: Path, status: int) -> None:
    told = Http(said=b"bad value 4111-1111")
    told.status = lambda _: 200 if len(told.times) > 1 else status
    queue = ForwardQueue(tmp_path / "queue", 2**28, BOTH)
    with capture_logs() as logs, http_server(told) as url, up(tmp_path, queue, url) as (ingest, forwarder):
        submit(ingest, Signal.TRACES, traces_request(3))
        until(lambda: forwarder.status.delivered + forwarder.status.rejected == 3)
    assert f"HTTP {status}" in shown(logs)
    assert "4111" not in shown(logs)
    assert [line["answer"] for line in logs if line["event"] == "forward_answer"] == ["bad value 4111-1111"]


@pytest.mark.parametrize("code", [grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNAVAILABLE])
def test_what_a_receiver_quotes_over_grpc_is_not_in_the_log(tmp_path: Path, code: grpc.StatusCode) -> None:
    calls: list[bytes] = []

    def quote(body: bytes, context: grpc.ServicerContext) -> bytes:
        calls.append(body)
        if len(calls) == 1:
            context.abort(code, "bad value 4111-1111")
        partial = ExportTracePartialSuccess(rejected_spans=1, error_message="bad value 4111-1111")
        return ExportTraceServiceResponse(partial_success=partial).SerializeToString()

    queue = ForwardQueue(tmp_path / "queue", 2**28, BOTH)
    with (
        capture_logs() as logs,
        grpc_server(quote) as client,
        sending(tmp_path / "up", queue) as ingest,
        forwarding(queue, client) as forwarder,
    ):
        submit(ingest, Signal.TRACES, traces_request(3, 1))
        until(lambda: bool(calls) and queue.bytes == 0)
        submit(ingest, Signal.TRACES, traces_request(3, 2))
        until(lambda: forwarder.status.delivered + forwarder.status.rejected == 6)
    assert code.name in shown(logs)
    assert "partial success" in shown(logs)
    assert "4111" not in shown(logs)
    assert {line["answer"] for line in logs if line["event"] == "forward_answer"} == {"bad value 4111-1111"}


@pytest.mark.parametrize(
    ("answer", "kinds"),
    [
        (b"4111-1111\r\n\r\n", "ProtocolError: BadStatusLine"),
        (b"HTTP/4111-1111 200 OK\r\n\r\n", "ProtocolError: UnknownProtocol"),
    ],
)
def test_what_a_receiver_quotes_where_no_answer_can_be_read_is_not_in_the_log(answer: bytes, kinds: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as receiver:
        receiver.submit(_answer_once, server, answer)
        client = OtlpHttpClient(HttpEndpoint(f"http://127.0.0.1:{server.getsockname()[1]}"))
        with pytest.raises(DeliveryDelayed, match=kinds) as raised:
            client.send(Signal.TRACES, b"")
        client.close()
    assert "4111" not in str(raised.value)
    assert "4111" in raised.value.answer


def _answer_once(server: socket.socket, answer: bytes) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(answer)


def test_why_there_is_no_connection_is_in_the_log() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for client in (OtlpGrpcClient(OtlpGrpcEndpoint(address)), OtlpHttpClient(HttpEndpoint(f"http://{address}"))):
            with pytest.raises(DeliveryDelayed, match="refused") as raised:
                client.send(Signal.TRACES, b"")
            assert raised.value.answer == ""
            client.close()


def test_a_receiver_that_rejects_more_than_it_got_does_not_turn_counters_back(tmp_path: Path) -> None:
    def reject(_: bytes, __: grpc.ServicerContext) -> bytes:
        partial = ExportTracePartialSuccess(rejected_spans=1_000)
        return ExportTraceServiceResponse(partial_success=partial).SerializeToString()

    queue = ForwardQueue(tmp_path / "queue", 2**28, BOTH)
    with (
        grpc_server(reject) as client,
        sending(tmp_path / "up", queue) as ingest,
        forwarding(queue, client) as forwarder,
    ):
        submit(ingest, Signal.TRACES, traces_request(3))
        until(lambda: forwarder.status.rejected > 0)
        assert (forwarder.status.delivered, forwarder.status.rejected) == (0, 3)


def test_what_the_receiver_rejects_in_part_is_counted(tmp_path: Path) -> None:
    bad = ExportTraceServiceRequest.FromString(traces_request(3))
    bad.resource_spans[0].scope_spans[0].spans[0].trace_id = b""
    queue = ForwardQueue(tmp_path / "queue", 2**28, BOTH)
    with receiving(tmp_path / "down") as down, listening(down, 0) as port:
        client = OtlpGrpcClient(OtlpGrpcEndpoint(f"127.0.0.1:{port}"))
        with sending(tmp_path / "up", queue) as ingest, forwarding(queue, client) as forwarder:
            submit(ingest, Signal.TRACES, bad.SerializeToString(), traces_request(2, seed=9))
            until(lambda: forwarder.status.delivered + forwarder.status.rejected == 4)
            assert forwarder.status.rejected == 1
        assert down.spans().num_rows == 4
