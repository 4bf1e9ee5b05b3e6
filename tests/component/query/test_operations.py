"""Health, ledger, metrics, and what every request passes."""

import dataclasses
import socket
import threading
import time

import httpx
import pytest

from collector.metrics import Metrics
from collector.pipeline.ledger import Ledger
from collector.query.app import build_app
from collector.query.dependencies import QueryDependencies, QueryLimits
from collector.query.server import QueryServer
from collector.receivers.listening import open_sockets
from collector.state import ServiceState
from storage.api import Storage
from storage.queries import Signal
from tests.component.query.conftest import Service


def get(deps: QueryDependencies, path: str, **headers: str) -> httpx.Response:
    """Ask a server of its own, which runs for this one request."""
    own = dataclasses.replace(deps, stopping=threading.Event())
    server = QueryServer(build_app(own), open_sockets("127.0.0.1", 0), own.stopping)
    server.start()
    try:
        return httpx.get(f"http://127.0.0.1:{server.port}{path}", headers=headers)
    finally:
        server.close()


@pytest.mark.parametrize("path", ["/health/live", "/livez"])
def test_live(http: httpx.Client, service: Service, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    answer = http.get(path)
    assert (answer.status_code, answer.json()) == (200, {"status": "alive", "reasons": []})
    monkeypatch.setattr(service, "state", ServiceState(dead_threads=("store",), journal_error="disk full"))
    answer = http.get(path)
    assert (answer.status_code, answer.json()["reasons"]) == (503, ["thread store does not run"])


@pytest.mark.parametrize("path", ["/health/ready", "/readyz"])
def test_ready(http: httpx.Client, path: str) -> None:
    answer = http.get(path)
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ready",
        "reasons": [],
        "checks": {"journal": "ok", "journal_used": 0.0, "storage": "ok", "draining": False},
    }


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (ServiceState(draining=True), "the service is shutting down"),
        (ServiceState(journal_error="disk full"), "the journal cannot be written: disk full"),
    ],
)
def test_not_ready(
    http: httpx.Client, service: Service, monkeypatch: pytest.MonkeyPatch, state: ServiceState, reason: str
) -> None:
    monkeypatch.setattr(service, "state", state)
    answer = http.get("/health/ready")
    assert (answer.status_code, answer.json()["status"], answer.json()["reasons"]) == (503, "not ready", [reason])


def test_ledger_balances(http: httpx.Client, service: Service) -> None:
    service.ledger.received(Signal.TRACES, 10, {"bad_trace_id": 2})
    service.ledger.stored({Signal.TRACES: 5}, {Signal.TRACES: 5})
    answer = http.get("/api/v1/ledger").json()
    assert answer["traces"] == {
        "received": 10,
        "stored": 5,
        "rejected": {"bad_trace_id": 2},
        "pending": 3,
        "refused": 0,
        "undecodable_requests": {},
        "balanced": True,
    }
    assert answer["logs"]["balanced"] is True


def test_metrics(http: httpx.Client, service: Service) -> None:
    http.get("/api/v1/services")
    answer = http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert 'baton_http_request_seconds_count{route="/api/v1/services",status="200"}' in answer.text
    assert "baton_journal_cap_bytes 1000.0" in answer.text
    assert 'otelcol_receiver_accepted_spans_total{receiver="otlp"}' in answer.text
    assert "process_resident_memory_bytes" in answer.text


def test_spans_that_were_sent_again_are_not_refused() -> None:
    ledger, metrics = Ledger(), Metrics("1")
    metrics.watch(ServiceState, ledger.snapshot)
    ledger.received(Signal.TRACES, 10, {"bad_trace_id": 2})
    ledger.duplicate(Signal.TRACES, 5)
    figure = metrics.registry.get_sample_value
    assert figure("otelcol_receiver_accepted_spans_total", {"receiver": "otlp"}) == 8
    assert figure("otelcol_receiver_refused_spans_total", {"receiver": "otlp"}) == 2
    assert figure("baton_items_rejected_total", {"signal": "traces", "reason": "duplicate"}) == 5


def test_timed_writer_counts(storage: Storage) -> None:
    from tests.component.query.conftest import batch
    from tests.component.query.shop import logs_message, record

    metrics = Metrics("1")
    metrics.timed(storage).write(batch("timed", b"", logs_message({"timed": [record(99_000_000, 9, "x")]})))
    sample = metrics.registry.get_sample_value
    assert sample("baton_storage_insert_seconds_count") == 1
    assert sample("baton_storage_inserted_rows_total", {"signal": "logs"}) == 1


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        ("/api/v1/nope", 404, "not-found"),
        ("/api/v1/traces/a1/spans", 404, "not-found"),
        ("/nowhere", 404, "not-found"),
        ("/api/v1/logs?text=" + "x" * 17_000, 414, "too-long"),
    ],
)
def test_what_is_not_there(http: httpx.Client, path: str, status: int, kind: str) -> None:
    answer = http.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["type"] == f"urn:baton:problem:{kind}"


def test_other_methods_are_refused(http: httpx.Client) -> None:
    answer = http.post("/api/v1/traces")
    assert (answer.status_code, answer.json()["type"]) == (405, "urn:baton:problem:method-not-allowed")
    assert answer.headers["allow"] == "GET"


def test_head_is_get_without_the_body(http: httpx.Client) -> None:
    for path in ("/health/live", "/api/v1/services", "/metrics", "/api/v1/nope"):
        head, get = http.head(path), http.get(path)
        assert (head.status_code, head.content) == (get.status_code, b"")
        assert head.headers["content-type"] == get.headers["content-type"]
    assert http.head("/api/v1/logs/tail").status_code == 405


def test_what_surrounds_a_body_is_limited(http: httpx.Client) -> None:
    start = b"POST /api/v1/services HTTP/1.1\r\nhost: x\r\n"
    for size in (70_000, 16 * 2**20):  # in the kernel's buffers, and more than they hold
        assert raw(http, start, b"x: " + b"y" * size).startswith(b"HTTP/1.1 431")
    assert raw(http, start, b"x: y\r\n" * 12_000).startswith(b"HTTP/1.1 431")
    chunked = start + b"transfer-encoding: chunked\r\n\r\n1\r\nz\r\n"
    for endless in (b"0\r\nx: " + b"y" * 70_000, b"0\r\n" + b"x: y\r\n" * 12_000, b"1;" + b"y" * 70_000):
        assert raw(http, chunked, endless).startswith(b"HTTP/1.1 405")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/logs", b'{"type":"urn:baton:problem:'),
        ("/api/traces", b'{"data":null,'),
        ("/loki/loki/api/v1/labels", b'{"status":"error",'),
    ],
)
def test_what_is_too_large_before_the_body_is_told_as_other_errors(http: httpx.Client, path: str, body: bytes) -> None:
    start = b"GET %s?text=%s" % (path.encode(), b"x" * 70_000)
    long = [raw(http, start), raw(http, start + b" HTTP/1.1\r\nhost: x\r\n\r\n")]
    assert all(answer.startswith(b"HTTP/1.1 414 ") for answer in long)
    start = b"GET %s HTTP/1.1\r\nx: " % path.encode() + b"y" * 70_000
    headers = [raw(http, start), raw(http, start + b"\r\n\r\n")]
    assert all(answer.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n") for answer in headers)
    for answer in (*long, *headers):
        head, _, told = answer.partition(b"\r\n\r\n")
        assert f"content-length: {len(told)}".encode() in head
        assert told.startswith(body)
        assert b"request line and headers are over 65536 bytes" in told


def raw(http: httpx.Client, *parts: bytes) -> bytes:
    """Send bytes as they are and return all that comes back until the server closes."""
    address = (http.base_url.host, http.base_url.port or 0)
    with socket.create_connection(address, timeout=5) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(0.1)
        answer = b""
        while data := connection.recv(65536):
            answer += data
        return answer


def test_security_headers(http: httpx.Client) -> None:
    for path in ("/api/v1/services", "/api/v1/nope", "/docs"):
        headers = http.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers
    assert "default-src 'none'" in http.get("/docs").headers["content-security-policy"]


def test_docs_need_nothing_from_elsewhere(http: httpx.Client) -> None:
    assert "://" not in http.get("/docs").text
    assert http.get("/openapi.json").json()["info"]["title"] == "Baton"


def test_base_path(deps: QueryDependencies) -> None:
    below = dataclasses.replace(deps, base_path="/obs/baton")
    assert get(below, "/obs/baton/api/v1/services").status_code == 200
    assert get(below, "/obs/baton/docs").status_code == 200
    assert get(below, "/health/live").status_code == 200
    assert get(below, "/api/v1/services").status_code == 404
    assert get(below, "/obs/batonical/api/v1/services").status_code == 404
    assert get(below, "/obs/baton/api/v1/nope").json()["type"] == "urn:baton:problem:not-found"


def test_api_key(deps: QueryDependencies) -> None:
    closed = dataclasses.replace(
        deps, authorize=lambda authorization, api_key: authorization == "Bearer k" or api_key == "k"
    )
    answer = get(closed, "/api/v1/services")
    assert (answer.status_code, answer.json()["type"]) == (401, "urn:baton:problem:unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert get(closed, "/openapi.json").status_code == 401
    assert get(closed, "/health/ready").status_code == 200
    assert get(dataclasses.replace(closed, base_path="/obs"), "/obs/health/ready").status_code == 200
    assert get(closed, "/api/v1/services", authorization="Bearer k").status_code == 200
    assert get(closed, "/api/v1/services", **{"x-api-key": "k"}).status_code == 200


def test_tails_are_bounded_and_end_with_the_server(deps: QueryDependencies) -> None:
    own = dataclasses.replace(deps, stopping=threading.Event(), limits=QueryLimits(max_tails=1))
    server = QueryServer(build_app(own), open_sockets("127.0.0.1", 0), own.stopping)
    server.start()
    base = f"http://127.0.0.1:{server.port}/api/v1/logs/tail"
    try:
        with httpx.stream("GET", base) as first:
            lines = first.iter_lines()
            assert next(lines) == ": open"
            second = httpx.get(base)
            assert (second.status_code, second.headers["retry-after"], second.json()["limit"]) == (503, "10", 1)
            server.close()
            list(lines)  # the answer ends as an answer does, or this raises
    finally:
        server.close()
    assert not server.is_alive
