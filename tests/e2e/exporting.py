"""Exporters that write down what became of every request, and readers that compare it with what is stored.

Every request holds one trace (or the log records of one trace) of its own; the span ids follow from the trace id, so
that what must be stored is known from the trace id and the number of items alone.
"""

import http.client
import json
import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.bench.api import Api
from collector.bench.senders import GrpcSender
from collector.bench.server import ServerProcess


class Fate(Enum):
    """What the client knows about its request."""

    ACKNOWLEDGED = "acknowledged"
    UNKNOWN = "unknown"  # no answer, or told to send it again: it may be there or not, but whole


@dataclass(frozen=True, slots=True)
class Sent:
    """One request."""

    signal: str
    trace_id: bytes
    items: int
    fate: Fate

    def span_ids(self) -> list[str]:
        return [span_id(self.trace_id, number).hex() for number in range(self.items)]


def span_id(trace_id: bytes, number: int) -> bytes:
    return trace_id[:4] + (number + 1).to_bytes(4, "big")


def trace_body(trace_id: bytes, spans: int) -> bytes:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = f"shop-{trace_id[0] % 4}"
    scope = resource.scope_spans.add()
    now = time.time_ns()
    for number in range(spans):
        parent = span_id(trace_id, 0) if number else b""
        span = scope.spans.add(trace_id=trace_id, span_id=span_id(trace_id, number), parent_span_id=parent)
        span.name, span.kind = f"step {number % 7}", 1 + number % 5
        span.start_time_unix_nano, span.end_time_unix_nano = now - 10**6 * (number + 1), now
        span.attributes.add(key="number").value.int_value = number
        span.attributes.add(key="text").value.string_value = trace_id.hex()
    return request.SerializeToString()


def logs_body(trace_id: bytes, records: int) -> bytes:
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    resource.resource.attributes.add(key="service.name").value.string_value = f"shop-{trace_id[0] % 4}"
    scope = resource.scope_logs.add()
    for number in range(records):
        record = scope.log_records.add(trace_id=trace_id, span_id=span_id(trace_id, number))
        record.time_unix_nano = time.time_ns()
        record.severity_number = 9
        record.body.string_value = f"line {number}"
    return request.SerializeToString()


def body_of(signal: str, trace_id: bytes, items: int) -> bytes:
    return (trace_body if signal == "traces" else logs_body)(trace_id, items)


class Export(Protocol):
    """A connection: True when the request was acknowledged, False or an exception when not."""

    def __call__(self, body: bytes) -> bool: ...

    def close(self) -> None: ...


class GrpcExport:
    """OTLP/gRPC."""

    def __init__(self, endpoint: str, signal: str) -> None:
        self._sender = GrpcSender(endpoint, signal, timeout=5.0)

    def __call__(self, body: bytes) -> bool:
        return self._sender.send(body) == "ok"

    def close(self) -> None:
        self._sender.close()


class HttpExport:
    """OTLP/HTTP with protobuf bodies on a kept-alive connection."""

    def __init__(self, endpoint: str, signal: str) -> None:
        self._connection = http.client.HTTPConnection(endpoint, timeout=10.0)
        self._connection.connect()
        self._path = f"/v1/{signal}"

    def __call__(self, body: bytes) -> bool:
        self._connection.request("POST", self._path, body, {"content-type": "application/x-protobuf"})
        with self._connection.getresponse() as response:
            return (response.status, response.read()) == (200, b"")

    def close(self) -> None:
        self._connection.close()


@dataclass(slots=True)
class Exporter:
    """One client: sends requests of random size, one after the other, and connects again when the server is gone."""

    connect: Callable[[], Export]
    signal: str
    resend: bool = False  # as SDKs do: until the request is acknowledged
    sizes: tuple[int, int] = (1, 200)
    pause_seconds: float = 0.02  # every request is read back one by one
    sent: list[Sent] = field(default_factory=list)

    def run(self, stop: threading.Event, rng: random.Random) -> None:
        export: Export | None = None
        again: tuple[bytes, int, bytes] | None = None
        while not stop.is_set():
            trace_id, items, body = again or self._new_request(rng)
            again = (trace_id, items, body)
            try:
                export = export or self.connect()
            except (OSError, grpc.FutureTimeoutError):
                stop.wait(0.05)
                continue
            try:
                acknowledged = export(body)
            except (OSError, http.client.HTTPException):
                acknowledged = False
            self.sent.append(Sent(self.signal, trace_id, items, Fate.ACKNOWLEDGED if acknowledged else Fate.UNKNOWN))
            if acknowledged or not self.resend:
                again = None
            if not acknowledged:
                export.close()
                export = None
            stop.wait(self.pause_seconds)
        if export is not None:
            export.close()

    def _new_request(self, rng: random.Random) -> tuple[bytes, int, bytes]:
        trace_id, items = os.urandom(16), rng.randint(*self.sizes)
        return trace_id, items, body_of(self.signal, trace_id, items)


class Exporters:
    """Clients in threads, for as long as the block runs."""

    def __init__(self, clients: list[Exporter]) -> None:
        self._clients = clients
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=client.run, args=(self._stop, random.Random(number)))
            for number, client in enumerate(clients)
        ]

    def __enter__(self) -> "Exporters":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def sent(self) -> list[Sent]:
        return [sent for client in self._clients for sent in client.sent]


def trace_exporters(server: ServerProcess, resend: bool = False) -> list[Exporter]:
    grpc_at, http_at = server.endpoints.otlp_grpc, server.endpoints.otlp_http
    return [
        Exporter(lambda: GrpcExport(grpc_at, "traces"), "traces", resend),
        Exporter(lambda: GrpcExport(grpc_at, "traces"), "traces", resend, sizes=(1000, 4000)),
        Exporter(lambda: HttpExport(http_at, "traces"), "traces", resend),
    ]


def log_exporters(server: ServerProcess) -> list[Exporter]:
    grpc_at, http_at = server.endpoints.otlp_grpc, server.endpoints.otlp_http
    return [
        Exporter(lambda: GrpcExport(grpc_at, "logs"), "logs"),
        Exporter(lambda: HttpExport(http_at, "logs"), "logs"),
    ]


def stored_span_ids(api: Api, sent: Sent) -> list[str]:
    """Return the span ids of all stored items of a request, sorted, as often as they are stored."""
    if sent.signal == "logs":
        return _stored_log_span_ids(api, sent)
    status, body = api.get(f"/api/v1/traces/{sent.trace_id.hex()}")
    if status == 404:
        return []
    assert status == 200, body[:500]
    resources = json.loads(body)["resourceSpans"]
    return sorted(s["spanId"] for r in resources for scope in r["scopeSpans"] for s in scope["spans"])


def _stored_log_span_ids(api: Api, sent: Sent) -> list[str]:
    path = f"/api/v1/logs?trace_id={sent.trace_id.hex()}&format=otlp&limit=1000"
    resources = api.json(path)["resourceLogs"]
    return sorted(r["spanId"] for res in resources for scope in res["scopeLogs"] for r in scope["logRecords"])


def settle(api: Api, patience_seconds: float = 60.0) -> dict[str, dict[str, object]]:
    """Wait until nothing is pending, check that the ledger balances, and return its signals."""
    deadline = time.monotonic() + patience_seconds
    while any(signal["pending"] for signal in balanced_ledger(api).values()):
        assert time.monotonic() < deadline, balanced_ledger(api)
        time.sleep(0.05)
    return balanced_ledger(api)


def balanced_ledger(api: Api) -> dict[str, dict[str, object]]:
    """Return the ledger's signals after checking that each balances."""
    signals: dict[str, dict[str, object]] = api.json("/api/v1/ledger")
    for name, signal in signals.items():
        rejected = sum(signal["rejected"].values())
        assert signal["received"] == signal["stored"] + rejected + signal["pending"], (name, signal)
    return signals
