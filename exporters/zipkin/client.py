"""Spans to a Zipkin endpoint."""

from google.protobuf.message import DecodeError

from exporters.delivery import Delivered, DeliveryRejected
from exporters.http_client import HttpClient, HttpEndpoint
from exporters.zipkin.to_zipkin import zipkin_json
from storage.queries import Signal


class ZipkinClient:
    """Posts v2 JSON to the endpoint's URL, normally `http://host:9411/api/v2/spans`. Traces only."""

    def __init__(self, endpoint: HttpEndpoint) -> None:
        self._http = HttpClient(endpoint)

    @property
    def signals(self) -> frozenset[Signal]:
        """See `exporters.delivery.Client`."""
        return frozenset({Signal.TRACES})

    def send(self, signal: Signal, body: bytes) -> Delivered:
        """See `exporters.delivery.Client`."""
        assert signal is Signal.TRACES
        try:
            spans = zipkin_json(body)
        except DecodeError as error:  # texts that are not UTF-8
            raise DeliveryRejected("cannot be written as JSON") from error
        self._http.post("", "application/json", spans)
        return Delivered()

    def close(self) -> None:
        """See `exporters.delivery.Client`."""
        self._http.close()
