"""OTLP over gRPC.

Source: OTLP specification, "Failures" of OTLP/gRPC. It lets clients drop data on most codes; here, only codes that
condemn the message itself do, because a wrong key or a wrong address is put right some day and the queue is durable.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from exporters.delivery import ANSWER_CHARACTERS, Delivered, DeliveryDelayed, DeliveryRejected
from storage.queries import Signal

_METHODS = {
    Signal.TRACES: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    Signal.LOGS: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}
_STATUS_DETAILS = "grpc-status-details-bin"
# What grpc itself says of a receiver that it cannot reach; any other words may be the receiver's.
_UNREACHABLE = ("failed to connect to all addresses", "DNS resolution failed")
_COMPRESSION = {"gzip": grpc.Compression.Gzip, "none": grpc.Compression.NoCompression}


@dataclass(frozen=True, slots=True)
class OtlpGrpcEndpoint:
    """Where to send. `credentials` None: plain text. `compression`: gzip or none."""

    target: str  # host:port
    credentials: grpc.ChannelCredentials | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    compression: str = "gzip"
    timeout_seconds: float = 10.0


class OtlpGrpcClient:
    """One channel; it reconnects by itself."""

    def __init__(self, endpoint: OtlpGrpcEndpoint, signals: frozenset[Signal] = frozenset(_METHODS)) -> None:
        self._signals = signals
        self._endpoint = endpoint
        options = [("grpc.max_send_message_length", -1)]
        compression = _COMPRESSION[endpoint.compression]
        if endpoint.credentials is None:
            self._channel = grpc.insecure_channel(endpoint.target, options, compression)
        else:
            self._channel = grpc.secure_channel(endpoint.target, endpoint.credentials, options, compression)
        self._calls: dict[Signal, grpc.UnaryUnaryMultiCallable[bytes, bytes]] = {
            signal: self._channel.unary_unary(method) for signal, method in _METHODS.items()
        }
        self._metadata = tuple((name.lower(), text) for name, text in endpoint.headers.items())

    @property
    def signals(self) -> frozenset[Signal]:
        """See `exporters.delivery.Client`."""
        return self._signals

    def send(self, signal: Signal, body: bytes) -> Delivered:
        """See `exporters.delivery.Client`."""
        try:
            answer = self._calls[signal](body, timeout=self._endpoint.timeout_seconds, metadata=self._metadata)
        except grpc.RpcError as error:
            raise _failure(error) from error
        return read_answer(signal, answer)

    def close(self) -> None:
        """See `exporters.delivery.Client`."""
        self._channel.close()


def read_answer(signal: Signal, body: bytes) -> Delivered:
    """Return what a serialised Export response says of rejected items; an unreadable answer is an acknowledgement."""
    try:
        if signal is Signal.TRACES:
            traces = ExportTraceServiceResponse.FromString(body).partial_success
            return Delivered(traces.rejected_spans, traces.error_message[:ANSWER_CHARACTERS])
        logs = ExportLogsServiceResponse.FromString(body).partial_success
        return Delivered(logs.rejected_log_records, logs.error_message[:ANSWER_CHARACTERS])
    except DecodeError:
        return Delivered()


def _failure(error: Any) -> DeliveryDelayed | DeliveryRejected:
    code, details = error.code(), str(error.details())
    text, answer = code.name, details[:ANSWER_CHARACTERS]
    if details.startswith(_UNREACHABLE):
        text, answer = f"{code.name}: {details}", ""
    delay = _retry_delay(error)
    if code is grpc.StatusCode.INVALID_ARGUMENT or (code is grpc.StatusCode.RESOURCE_EXHAUSTED and delay is None):
        return DeliveryRejected(text, answer)
    return DeliveryDelayed(text, answer, delay)


def _retry_delay(error: Any) -> float | None:
    """Return the seconds of a RetryInfo among the status details."""
    for name, value in error.trailing_metadata() or ():
        if name == _STATUS_DETAILS and isinstance(value, bytes):
            return _read_delay(value)
    return None


def _read_delay(details: bytes) -> float | None:
    info = RetryInfo()
    try:
        if any(detail.Unpack(info) for detail in Status.FromString(details).details):
            return float(info.retry_delay.ToNanoseconds() / 1e9)
    except DecodeError:  # details that cannot be read must not hold the queue up
        pass
    return None
