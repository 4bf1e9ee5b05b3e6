"""The two ways a request reaches the server. One sender is one connection, used by one thread."""

import http.client
from collections.abc import Callable
from typing import Protocol

import grpc

_GRPC_OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),  # a connection for each sender, as separate exporters have
    ("grpc.enable_retries", 0),  # what is refused must be seen
    ("grpc.max_send_message_length", -1),
    ("grpc.max_reconnect_backoff_ms", 200),
)
_METHODS = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}
_RETRYABLE_STATUS = (429, 502, 503, 504)
OK, REFUSED = "ok", "refused"  # every other verdict says what went wrong


class Sender(Protocol):
    """A connection to an OTLP receiver."""

    def send(self, body: bytes) -> str:
        """Send a request and return OK, REFUSED (retryable) or what else the answer was."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class GrpcSender:
    """OTLP/gRPC, bytes in and bytes out."""

    def __init__(self, endpoint: str, signal: str, timeout: float = 30.0) -> None:
        """Connect to `host:port` and wait until that is done."""
        self._channel = grpc.insecure_channel(endpoint, options=_GRPC_OPTIONS)
        try:
            grpc.channel_ready_future(self._channel).result(timeout)
        except grpc.FutureTimeoutError:
            self._channel.close()
            raise
        self._export: Callable[..., bytes] = self._channel.unary_unary(_METHODS[signal])
        self._timeout = timeout

    def send(self, body: bytes) -> str:
        """See `Sender.send`."""
        try:
            answer = self._export(body, timeout=self._timeout)
        except grpc.RpcError as error:
            code = error.code()
            return REFUSED if code is grpc.StatusCode.UNAVAILABLE else f"grpc {code.name}"
        return "partial success" if answer else OK

    def close(self) -> None:
        """See `Sender.close`."""
        self._channel.close()


class HttpSender:
    """OTLP/HTTP with JSON bodies on a kept-alive connection."""

    def __init__(self, endpoint: str, signal: str, timeout: float = 30.0) -> None:
        """Connect to `host:port`."""
        self._connection = http.client.HTTPConnection(endpoint, timeout=timeout)
        self._connection.connect()
        self._path = f"/v1/{signal}"

    def send(self, body: bytes) -> str:
        """See `Sender.send`."""
        self._connection.request("POST", self._path, body, {"content-type": "application/json"})
        with self._connection.getresponse() as response:
            answer = response.read()
        if response.status in _RETRYABLE_STATUS:
            return REFUSED
        if response.status != http.client.OK:
            return f"http {response.status}"
        return "partial success" if answer not in {b"", b"{}"} else OK

    def close(self) -> None:
        """See `Sender.close`."""
        self._connection.close()
