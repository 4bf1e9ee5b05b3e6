"""OTLP over HTTP, in protobuf.

Source: OTLP specification, "OTLP/HTTP".
"""

from exporters.delivery import Delivered
from exporters.forward_otlp.grpc_client import read_answer
from exporters.http_client import HttpClient, HttpEndpoint
from storage.queries import Signal

_PATHS = {Signal.TRACES: "/v1/traces", Signal.LOGS: "/v1/logs"}
_PROTOBUF = "application/x-protobuf"


class OtlpHttpClient:
    """Sends to `<url>/v1/traces` and `<url>/v1/logs`."""

    def __init__(self, endpoint: HttpEndpoint, signals: frozenset[Signal] = frozenset(_PATHS)) -> None:
        self._signals = signals
        self._http = HttpClient(endpoint)

    @property
    def signals(self) -> frozenset[Signal]:
        """See `exporters.delivery.Client`."""
        return self._signals

    def send(self, signal: Signal, body: bytes) -> Delivered:
        """See `exporters.delivery.Client`."""
        return read_answer(signal, self._http.post(_PATHS[signal], _PROTOBUF, body))

    def close(self) -> None:
        """See `exporters.delivery.Client`."""
        self._http.close()
