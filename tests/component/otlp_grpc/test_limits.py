"""Sizes, numbers and keys: what the OTLP/gRPC receiver does not take, and whether to come back with it."""

import gzip
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)

from collector.pipeline.api import Outcome
from collector.receivers.auth import ApiKeys
from collector.receivers.settings import GrpcSettings
from tests.component.otlp_grpc.calls import (
    LIMIT,
    LOGS,
    METRICS,
    TRACES,
    assert_permanent,
    assert_retryable,
    begin,
    export,
    failure,
    serving,
)
from tests.ingests import Broken, Full, Stuck
from tests.receiving import Received, logs_request, receiving, traces_request
from tests.waiting import until


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


def test_a_gzip_bomb_is_stopped(received: Received) -> None:
    assert len(gzip.compress(bytes(200 * LIMIT))) < LIMIT
    with serving(received.ingest) as (_, channel):
        call = failure(channel, LOGS, bytes(200 * LIMIT), compression=grpc.Compression.Gzip)
        assert_permanent(call, grpc.StatusCode.RESOURCE_EXHAUSTED)
    assert received.logs().num_rows == 0


def test_keys_and_other_metadata_may_be_long(received: Received) -> None:
    with serving(received.ingest) as (_, channel):
        for _ in range(10):
            assert export(channel, TRACES, b"", metadata=(("authorization", "x" * 60_000),)) == b""
        call = failure(channel, TRACES, b"", metadata=(("authorization", "x" * 2**16),))
        assert_permanent(call, grpc.StatusCode.RESOURCE_EXHAUSTED)


def test_a_full_journal_is_retryable_with_hints_in_both_trailers(tmp_path: Path) -> None:
    with receiving(tmp_path, journal_cap_bytes=1) as received, serving(received.ingest) as (_, channel):
        assert_retryable(failure(channel, TRACES, traces_request(1)))
        assert_retryable(failure(channel, LOGS, logs_request(1)))


def test_refused_by_submit_is_retryable() -> None:
    with serving(Full()) as (_, channel):
        assert_retryable(failure(channel, TRACES, b""))


def test_no_answer_within_the_deadline_is_retryable() -> None:
    settings = GrpcSettings("127.0.0.1", 0, answer_seconds=0.2)
    with serving(Stuck(), settings) as (_, channel):
        late = failure(channel, TRACES, traces_request(1))
        assert_retryable(late)
        assert late.details() == "the data is not on disk after 0.2 s"


def test_a_bug_is_retryable_never_unknown() -> None:
    with serving(Broken()) as (_, channel):
        assert_retryable(failure(channel, TRACES, traces_request(1)))


@pytest.mark.parametrize("method", [TRACES, METRICS])
def test_a_message_that_does_not_arrive_is_refused_and_frees_its_place(received: Received, method: str) -> None:
    settings = GrpcSettings("127.0.0.1", 0, read_seconds=0.3, max_concurrent_requests=1)
    over = threading.Event()

    def nothing() -> Iterator[bytes]:
        over.wait(10)
        yield from ()

    with serving(received.ingest, settings) as (_, channel):
        call: grpc.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary(method)
        with pytest.raises(grpc.RpcError) as caught:
            call(nothing(), timeout=10)
        over.set()
        assert_retryable(caught.value)
        assert export(channel, TRACES, traces_request(1)) == b""


def test_too_many_requests_at_once_are_refused_with_hints() -> None:
    settings = GrpcSettings("127.0.0.1", 0, answer_seconds=60, max_concurrent_requests=2)
    ingest = Stuck()
    with serving(ingest, settings) as (_, channel):
        waiting = [begin(channel, TRACES, b"") for _ in range(2)]
        ingest.wait_for(2)
        refused = failure(channel, TRACES, b"")
        assert_retryable(refused)
        assert refused.details() == "2 requests are being received"
        for answer in ingest.answers:
            answer.set_result(Outcome(0))
        assert [call.result() for call in waiting] == [b""] * 2


def test_metrics_take_places_too() -> None:
    settings = GrpcSettings("127.0.0.1", 0, max_concurrent_requests=1)
    over = threading.Event()

    def nothing() -> Iterator[bytes]:
        over.wait(10)
        yield from ()

    with serving(Stuck(), settings) as (_, channel):
        upload: grpc.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary(METRICS)
        unfinished = upload.future(nothing(), timeout=10)
        until(lambda: not is_free(channel))
        over.set()
        assert unfinished.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        until(lambda: is_free(channel))


def is_free(channel: grpc.Channel) -> bool:
    try:
        export(channel, METRICS, b"")
    except grpc.RpcError:
        return False
    return True


def test_a_client_that_goes_away_frees_its_place() -> None:
    settings = GrpcSettings("127.0.0.1", 0, answer_seconds=30, max_concurrent_requests=1)
    ingest = Stuck()
    with serving(ingest, settings) as (_, channel):
        call = begin(channel, TRACES, b"")
        ingest.wait_for(1)
        assert "being received" in failure(channel, TRACES, b"").details()
        call.cancel()
        attempts: list[Any] = []  # a call that nobody holds is cancelled

        def took_the_place() -> bool:
            attempts.append(begin(channel, TRACES, b""))
            return len(ingest.answers) == 2

        until(took_the_place)


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
