"""A client of the OTLP/gRPC receiver: calls of bytes, and the two kinds of failure."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from collector.loop_thread import LoopThread
from collector.pipeline.api import Ingest
from collector.receivers.auth import ApiKeys
from collector.receivers.otlp_grpc import OtlpGrpcReceiver
from collector.receivers.settings import GrpcSettings

TRACES, LOGS, METRICS = (
    f"/opentelemetry.proto.collector.{name}.v1.{service}/Export"
    for name, service in (("trace", "TraceService"), ("logs", "LogsService"), ("metrics", "MetricsService"))
)
LIMIT = 2**20


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
    return call(body, timeout=60, **options)  # type: ignore[arg-type]


def begin(channel: grpc.Channel, method: str, body: bytes) -> Any:
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method)
    return call.future(body, timeout=60)


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
