"""The OTLP/gRPC receiver: a real server, a real pipeline, real calls."""

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.metrics.v1 import metrics_pb2

from collector.errors import Refused
from collector.loop_thread import LoopThread
from collector.pipeline.api import Ingest, Outcome, Request
from collector.receivers.auth import ApiKeys
from collector.receivers.errors import ListenError
from collector.receivers.otlp_grpc import OtlpGrpcReceiver
from collector.receivers.settings import GrpcSettings
from storage.queries import Signal
from tests.receiving import Received, logs_request, receiving, traces_request

TRACES, LOGS, METRICS = (
    f"/opentelemetry.proto.collector.{name}.v1.{service}/Export"
    for name, service in (("trace", "TraceService"), ("logs", "LogsService"), ("metrics", "MetricsService"))
)
LIMIT = 2**20
Send = Callable[..., bytes]


@pytest.fixture
def received(tmp_path: Path) -> Iterator[Received]:
    with receiving(tmp_path) as received:
        yield received


@contextmanager
def serving(
    ingest: Ingest, settings: GrpcSettings | None = None, auth: ApiKeys | None = None
) -> Iterator[tuple[OtlpGrpcReceiver, grpc.Channel]]:
    settings = settings or GrpcSettings("127.0.0.1", 0, max_request_bytes=LIMIT)
    with LoopThread("test-grpc") as thread:
        receiver = OtlpGrpcReceiver(settings, ingest, thread, auth)
        receiver.start()
        try:
            with grpc.insecure_channel(f"127.0.0.1:{receiver.port}") as channel:
                yield receiver, channel
        finally:
            receiver.close(1.0)


def export(channel: grpc.Channel, method: str, body: bytes, **options: object) -> bytes:
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method)
    return call(body, timeout=10, **options)  # type: ignore[arg-type]


def begin(channel: grpc.Channel, method: str, body: bytes) -> Any:
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method)
    return call.future(body, timeout=10)


def failure(channel: grpc.Channel, method: str, body: bytes, **options: object) -> Any:
    with pytest.raises(grpc.RpcError) as caught:
        export(channel, method, body, **options)
    return caught.value


def trailers(call: Any) -> dict[str, bytes]:
    return {key: value for key, value in call.trailing_metadata() if isinstance(value, bytes)}


def assert_retryable(call: Any) -> None:
    assert call.code() is grpc.StatusCode.UNAVAILABLE
    status = Status.FromString(trailers(call)["grpc-status-details-bin"])
    assert status.code == 14
    hint = RetryInfo()
    assert status.details[0].Unpack(hint)
    assert hint == RetryInfo.FromString(trailers(call)["google.rpc.retryinfo-bin"])
    assert 0.5e9 <= hint.retry_delay.ToNanoseconds() <= 3e9


def assert_permanent(call: Any, code: grpc.StatusCode) -> None:
    assert call.code() is code
    assert "google.rpc.retryinfo-bin" not in trailers(call)


@pytest.mark.parametrize("compression", list(grpc.Compression))
def test_traces_and_logs_are_stored_whatever_the_compression(received: Received, compression: grpc.Compression) -> None:
    with serving(received.ingest) as (_, channel):
        assert export(channel, TRACES, traces_request(3), compression=compression) == b""
        assert export(channel, LOGS, logs_request(2), compression=compression) == b""
    assert received.spans().num_rows == 3
    assert received.logs().num_rows == 2


def test_an_empty_request_succeeds(received: Received) -> None:
    with serving(received.ingest) as (_, channel):
        assert export(channel, TRACES, b"") == export(channel, LOGS, b"") == export(channel, METRICS, b"") == b""


def test_bad_items_are_counted_and_the_good_ones_kept(received: Received) -> None:
    request = ExportTraceServiceRequest.FromString(traces_request(3))
    request.resource_spans[0].scope_spans[0].spans[1].trace_id = b"short"
    with serving(received.ingest) as (_, channel):
        reply = ExportTraceServiceResponse.FromString(export(channel, TRACES, request.SerializeToString()))
    assert reply.partial_success.rejected_spans == 1
    assert "trace_id" in reply.partial_success.error_message
    assert received.spans().num_rows == 2


def test_invalid_utf8_does_not_lose_the_request(received: Received) -> None:
    body = traces_request(2).replace(b"span-0", b"span\xff0")
    with serving(received.ingest) as (_, channel):
        assert export(channel, TRACES, body) == b""
    assert sorted(received.spans()["name"].to_pylist()) == ["span-1", "span\ufffd0"]


def test_a_logs_request_at_the_traces_method_is_turned_away_with_a_hint(received: Received) -> None:
    with serving(received.ingest) as (_, channel):
        reply = ExportTraceServiceResponse.FromString(export(channel, TRACES, logs_request(2)))
    assert reply.partial_success.rejected_spans == 2
    assert "/v1/logs" in reply.partial_success.error_message


def test_a_malformed_request_is_permanent_and_does_not_hurt_others(received: Received) -> None:
    with serving(received.ingest) as (_, channel):
        call = failure(channel, TRACES, b"\xff\xff\xff")
        assert_permanent(call, grpc.StatusCode.INVALID_ARGUMENT)
        assert Status.FromString(trailers(call)["grpc-status-details-bin"]).message == call.details()
        assert export(channel, TRACES, traces_request(1)) == b""
    assert received.spans().num_rows == 1


def test_metrics_are_turned_away_point_by_point(received: Received) -> None:
    gauge = metrics_pb2.Metric(name="g", gauge=metrics_pb2.Gauge(data_points=[metrics_pb2.NumberDataPoint()] * 2))
    summary = metrics_pb2.Metric(summary=metrics_pb2.Summary(data_points=[metrics_pb2.SummaryDataPoint()]))
    scope = metrics_pb2.ScopeMetrics(metrics=[gauge, summary, metrics_pb2.Metric(name="empty")])
    resource = metrics_pb2.ResourceMetrics(scope_metrics=[scope, scope])
    small = ExportMetricsServiceRequest(resource_metrics=[resource])
    large = ExportMetricsServiceRequest(resource_metrics=[resource] * 10_000)
    with serving(received.ingest) as (_, channel):
        for request, count in ((small, 6), (large, 60_000)):
            reply = ExportMetricsServiceResponse.FromString(export(channel, METRICS, request.SerializeToString()))
            assert reply.partial_success.rejected_data_points == count
            assert "metrics are not stored" in reply.partial_success.error_message
        assert_permanent(failure(channel, METRICS, b"\xff\xff"), grpc.StatusCode.INVALID_ARGUMENT)
        assert_permanent(failure(channel, METRICS, bytes(LIMIT + 1)), grpc.StatusCode.RESOURCE_EXHAUSTED)


def test_unknown_methods_are_unimplemented(received: Received) -> None:
    with serving(received.ingest) as (_, channel):
        profiles = "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"
        assert failure(channel, profiles, b"").code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("compression", list(grpc.Compression))
def test_a_request_over_the_limit_is_permanent_before_and_after_decompression(
    received: Received, compression: grpc.Compression
) -> None:
    with serving(received.ingest) as (_, channel):
        call = failure(channel, TRACES, bytes(LIMIT + 1), compression=compression)
        assert_permanent(call, grpc.StatusCode.RESOURCE_EXHAUSTED)
        assert export(channel, TRACES, traces_request(1)) == b""
    counted = received.ledger.snapshot()["traces"]["undecodable_requests"]
    assert counted == {"too_large_or_cut_off": 1}


def test_a_request_just_below_the_limit_is_stored(received: Received) -> None:
    request = ExportTraceServiceRequest.FromString(traces_request(1))
    request.resource_spans[0].scope_spans[0].spans[0].name = "x" * (LIMIT - 1000)
    with serving(received.ingest) as (_, channel):
        assert export(channel, TRACES, request.SerializeToString()) == b""


def test_a_full_journal_is_retryable_with_hints_in_both_trailers(tmp_path: Path) -> None:
    with receiving(tmp_path, journal_cap_bytes=1) as received, serving(received.ingest) as (_, channel):
        assert_retryable(failure(channel, TRACES, traces_request(1)))
        assert_retryable(failure(channel, LOGS, logs_request(1)))


class Stuck:
    """An Ingest whose disk never answers."""

    def submit(self, request: Request) -> "Future[Outcome]":
        return Future()

    def count_undecodable(self, signal: Signal, transport: str, reason: str) -> None:
        raise AssertionError(reason)


class Broken(Stuck):
    """An Ingest with a bug."""

    def submit(self, request: Request) -> "Future[Outcome]":
        raise KeyError("bug")


def test_no_answer_within_the_deadline_is_retryable() -> None:
    settings = GrpcSettings("127.0.0.1", 0, answer_seconds=0.2)
    with serving(Stuck(), settings) as (_, channel):
        started = time.monotonic()
        assert_retryable(failure(channel, TRACES, traces_request(1)))
        assert 0.2 <= time.monotonic() - started < 2


def test_a_bug_is_retryable_never_unknown() -> None:
    with serving(Broken()) as (_, channel):
        assert_retryable(failure(channel, TRACES, traces_request(1)))


def test_too_many_requests_at_once_are_refused_with_hints() -> None:
    settings = GrpcSettings("127.0.0.1", 0, answer_seconds=1.0, max_concurrent_requests=2)
    with serving(Stuck(), settings) as (_, channel):
        waiting = [begin(channel, TRACES, b"") for _ in range(2)]
        time.sleep(0.2)
        started = time.monotonic()
        assert_retryable(failure(channel, TRACES, b""))
        assert time.monotonic() - started < 0.5
        assert [call.code() for call in waiting] == [grpc.StatusCode.UNAVAILABLE] * 2


def test_a_client_that_goes_away_frees_its_place() -> None:
    settings = GrpcSettings("127.0.0.1", 0, answer_seconds=3.0, max_concurrent_requests=1)
    with serving(Stuck(), settings) as (_, channel):
        call = begin(channel, TRACES, b"")
        time.sleep(0.1)
        assert "being received" in failure(channel, TRACES, b"").details()
        call.cancel()
        time.sleep(0.1)
        waiting = begin(channel, TRACES, b"")
        time.sleep(0.1)
        assert not waiting.done()


def test_keys_are_asked_for_before_the_message_is_read(received: Received) -> None:
    with serving(received.ingest, auth=ApiKeys(["right"])) as (_, channel):
        for metadata in ((), (("authorization", "Bearer wrong"),), (("x-api-key", "wrong"),)):
            for body in (traces_request(1), bytes(LIMIT + 1)):
                call = failure(channel, TRACES, body, metadata=metadata)
                assert_permanent(call, grpc.StatusCode.UNAUTHENTICATED)
        assert failure(channel, METRICS, b"").code() is grpc.StatusCode.UNAUTHENTICATED
        assert export(channel, TRACES, traces_request(1), metadata=(("authorization", "Bearer right"),)) == b""
        assert export(channel, LOGS, logs_request(1), metadata=(("x-api-key", "right"),)) == b""
        health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        assert health.status == health_pb2.HealthCheckResponse.SERVING
    assert received.ledger.snapshot()["traces"]["undecodable_requests"] == {"unauthenticated": 6}


def test_draining_finishes_what_runs_and_refuses_what_comes(received: Received) -> None:
    class Slow:
        def __init__(self) -> None:
            self.future: Future[Outcome] = Future()

        def submit(self, request: Request) -> "Future[Outcome]":
            return self.future

        def count_undecodable(self, signal: Signal, transport: str, reason: str) -> None:
            raise AssertionError(reason)

    slow = Slow()
    with serving(slow) as (receiver, channel):
        health = health_pb2_grpc.HealthStub(channel)
        watch = health.Watch(health_pb2.HealthCheckRequest())
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        running = begin(channel, TRACES, traces_request(1))
        time.sleep(0.1)
        receiver.drain()
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        for service in ("", "opentelemetry.proto.collector.trace.v1.TraceService"):
            answer = health.Check(health_pb2.HealthCheckRequest(service=service))
            assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert_retryable(failure(channel, TRACES, traces_request(1)))
        closing = threading.Thread(target=receiver.close, args=(5.0,))
        closing.start()
        time.sleep(0.1)
        slow.future.set_result(Outcome(1))
        assert running.result() == b""
        watch.cancel()
        closing.join(5)
        assert not closing.is_alive()
        receiver.close()


def test_a_close_that_runs_out_of_grace_tells_clients_to_retry() -> None:
    with serving(Stuck(), GrpcSettings("127.0.0.1", 0, answer_seconds=20)) as (receiver, channel):
        running = begin(channel, TRACES, b"")
        time.sleep(0.1)
        started = time.monotonic()
        receiver.close(0.3)
        assert time.monotonic() - started < 2
        assert running.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}


def test_a_port_that_is_taken_is_named(received: Received) -> None:
    with serving(received.ingest) as (receiver, _), LoopThread("test-grpc") as thread:
        second = OtlpGrpcReceiver(GrpcSettings("127.0.0.1", receiver.port), received.ingest, thread)
        with pytest.raises(ListenError, match=rf"127\.0\.0\.1:{receiver.port}.*in use"):
            second.start()
        second.close()


def test_reflection_lists_the_services_when_it_is_on(received: Received) -> None:
    with serving(received.ingest, GrpcSettings("127.0.0.1", 0, reflection=True)) as (_, channel):
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        answers = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
        names = {service.name for service in next(answers).list_services_response.service}
    assert {TRACES.split("/")[1], LOGS.split("/")[1], METRICS.split("/")[1], "grpc.health.v1.Health"} <= names


def test_clients_may_keep_idle_connections_alive_with_pings() -> None:
    states: list[grpc.ChannelConnectivity] = []
    settings = GrpcSettings("127.0.0.1", 0, min_ping_interval_seconds=0.5)
    pings = [
        ("grpc.keepalive_time_ms", 1000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
    ]
    with serving(Stuck(), settings) as (receiver, _):
        with grpc.insecure_channel(f"127.0.0.1:{receiver.port}", options=pings) as channel:
            channel.subscribe(states.append, try_to_connect=True)
            time.sleep(4.6)  # the fourth ping is the one too many
        assert states[-1] is grpc.ChannelConnectivity.READY
        assert states.count(grpc.ChannelConnectivity.READY) == 1


def test_sixty_four_clients_at_once(received: Received) -> None:
    bodies = [traces_request(5, seed=seed) for seed in range(64 * 5)]
    with serving(received.ingest) as (receiver, _), ThreadPoolExecutor(64) as clients:

        def client(number: int) -> list[bytes]:
            with grpc.insecure_channel(
                f"127.0.0.1:{receiver.port}", options=[("grpc.use_local_subchannel_pool", 1)]
            ) as channel:
                return [export(channel, TRACES, body) for body in bodies[number * 5 : number * 5 + 5]]

        assert list(clients.map(client, range(64))) == [[b""] * 5] * 64
    assert received.spans().num_rows == 64 * 5 * 5


def test_two_receivers_in_one_process(received: Received, caplog: pytest.LogCaptureFixture) -> None:
    with serving(received.ingest) as (_, one), serving(received.ingest) as (_, two), ThreadPoolExecutor(8) as clients:
        bodies = [traces_request(1, seed=seed) for seed in range(200)]
        calls = [clients.submit(export, (one, two)[seed % 2], TRACES, body) for seed, body in enumerate(bodies)]
        assert {call.result() for call in calls} == {b""}
    assert caplog.records == []
    assert received.spans().num_rows == 200


def test_a_gzip_bomb_is_stopped(received: Received) -> None:
    assert len(gzip.compress(bytes(200 * LIMIT))) < LIMIT
    with serving(received.ingest) as (_, channel):
        call = failure(channel, LOGS, bytes(200 * LIMIT), compression=grpc.Compression.Gzip)
        assert_permanent(call, grpc.StatusCode.RESOURCE_EXHAUSTED)
    assert received.logs().num_rows == 0


def test_logs_keep_partial_success_unset(received: Received) -> None:
    request = ExportLogsServiceRequest.FromString(logs_request(1))
    request.resource_logs[0].scope_logs[0].log_records[0].trace_id = b"bad"
    with serving(received.ingest) as (_, channel):
        reply = ExportLogsServiceResponse.FromString(export(channel, LOGS, request.SerializeToString()))
    assert not reply.HasField("partial_success")


def test_refused_by_submit_is_retryable() -> None:
    class Full(Stuck):
        def submit(self, request: Request) -> "Future[Outcome]":
            raise Refused("too much waits", 2.0)

    with serving(Full()) as (_, channel):
        assert_retryable(failure(channel, TRACES, b""))
