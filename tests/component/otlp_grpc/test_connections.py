"""The OTLP/gRPC server: many clients, idle ones, draining, closing, a port that is taken."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from collector.loop_thread import LoopThread
from collector.pipeline.api import Outcome
from collector.receivers.errors import ListenError
from collector.receivers.otlp_grpc import OtlpGrpcReceiver
from collector.receivers.settings import GrpcSettings
from tests.component.otlp_grpc.calls import TRACES, assert_retryable, begin, export, failure, serving
from tests.ingests import Stuck
from tests.receiving import Received, traces_request


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


def test_draining_finishes_what_runs_and_refuses_what_comes() -> None:
    ingest = Stuck()
    with serving(ingest, GrpcSettings("127.0.0.1", 0, answer_seconds=60)) as (receiver, channel):
        health = health_pb2_grpc.HealthStub(channel)
        watch = health.Watch(health_pb2.HealthCheckRequest())
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        running = begin(channel, TRACES, traces_request(1))
        ingest.wait_for(1)
        receiver.drain()
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        for service in ("", "opentelemetry.proto.collector.trace.v1.TraceService"):
            answer = health.Check(health_pb2.HealthCheckRequest(service=service))
            assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert_retryable(failure(channel, TRACES, traces_request(1)))
        closing = threading.Thread(target=receiver.close, args=(60.0,))
        closing.start()
        time.sleep(0.1)
        ingest.answers[0].set_result(Outcome(1))
        assert running.result() == b""
        watch.cancel()
        closing.join(60)
        assert not closing.is_alive()
        receiver.close()


def test_a_close_that_runs_out_of_grace_tells_clients_to_retry() -> None:
    ingest = Stuck()
    with serving(ingest, GrpcSettings("127.0.0.1", 0, answer_seconds=20)) as (receiver, channel):
        running = begin(channel, TRACES, b"")
        ingest.wait_for(1)
        started = time.monotonic()
        receiver.close(0.3)
        assert time.monotonic() - started < 10
        assert running.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}


def test_a_port_that_is_taken_is_named(received: Received) -> None:
    with serving(received.ingest) as (receiver, _), LoopThread("test-grpc") as thread:
        second = OtlpGrpcReceiver(GrpcSettings("127.0.0.1", receiver.port), received.ingest, thread)
        with pytest.raises(ListenError, match=rf"127\.0\.0\.1:{receiver.port}.*in use"):
            second.start()
        second.close()
