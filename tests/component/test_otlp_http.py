"""The OTLP/HTTP receiver: a real server, a real pipeline, real requests."""

import gzip
import json
import socket
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from google.protobuf import json_format
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.metrics.v1 import metrics_pb2

from collector.errors import Refused
from collector.pipeline.api import Ingest, Outcome, Request
from collector.receivers.auth import ApiKeys
from collector.receivers.errors import ListenError
from collector.receivers.otlp_http import OtlpHttpReceiver
from collector.receivers.settings import CorsSettings, HttpSettings
from storage.queries import Signal
from tests.receiving import Received, logs_request, receiving, traces_request

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PROTOBUF, JSON = "application/x-protobuf", "application/json"
LIMIT = 2**20
SPAN = {"traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "EEE19B7EC3C1B174", "name": "json"}
JSON_TRACES = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [SPAN]}]}]}).encode()
PAGE = "https://app.example.com"


def settings(**changes: object) -> HttpSettings:
    return HttpSettings(**{"host": "127.0.0.1", "port": 0, "max_request_bytes": LIMIT, **changes})  # type: ignore[arg-type]


@pytest.fixture
def received(tmp_path: Path) -> Iterator[Received]:
    with receiving(tmp_path) as received:
        yield received


@contextmanager
def serving(
    ingest: Ingest, wanted: HttpSettings | None = None, auth: ApiKeys | None = None
) -> Iterator[tuple[OtlpHttpReceiver, httpx.Client]]:
    receiver = OtlpHttpReceiver(wanted or settings(), ingest, auth)
    receiver.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{receiver.port}", timeout=10) as client:
            yield receiver, client
    finally:
        receiver.close(1.0)


def post(client: httpx.Client, path: str, body: bytes, content_type: str = PROTOBUF, **headers: str) -> httpx.Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(path, content=body, headers={"content-type": content_type, **names})


def status_in(response: httpx.Response) -> Status:
    """Parse the body as a google.rpc.Status in the encoding it says it has."""
    if response.headers["content-type"] == JSON:
        return json_format.Parse(response.content, Status())
    assert response.headers["content-type"] == PROTOBUF
    return Status.FromString(response.content)


def assert_retryable(response: httpx.Response) -> None:
    assert response.status_code == 503
    assert 1 <= int(response.headers["retry-after"]) <= 3
    status = status_in(response)
    assert status.code == 14
    assert status.details[0].Unpack(RetryInfo())


@pytest.mark.parametrize("content_type", [PROTOBUF, "Application/X-Protobuf; charset=utf-8"])
def test_protobuf_is_stored_and_answered_in_protobuf(received: Received, content_type: str) -> None:
    with serving(received.ingest) as (_, client):
        for path, body in (("/v1/traces", traces_request(3)), ("/v1/logs", logs_request(2))):
            response = post(client, path, body, content_type)
            assert (response.status_code, response.content) == (200, b"")
            assert response.headers["content-type"] == PROTOBUF
    assert (received.spans().num_rows, received.logs().num_rows) == (3, 2)


@pytest.mark.parametrize("content_type", [JSON, "application/json;charset=UTF-8"])
def test_json_is_stored_and_answered_in_json(received: Received, content_type: str) -> None:
    with serving(received.ingest) as (_, client):
        response = post(client, "/v1/traces", JSON_TRACES, content_type)
        assert (response.status_code, response.content) == (200, b"{}")
        assert response.headers["content-type"] == JSON
        logs = {"resource_logs": [{"scope_logs": [{"log_records": [{"body": {"string_value": "x"}}]}]}]}
        assert post(client, "/v1/logs", json.dumps(logs).encode(), JSON).json() == {}
    assert received.spans()["trace_id"].to_pylist() == [bytes.fromhex(SPAN["traceId"])]
    assert received.logs().num_rows == 1


@pytest.mark.parametrize("encoding", [PROTOBUF, JSON])
def test_an_empty_request_succeeds(received: Received, encoding: str) -> None:
    body = b"" if encoding == PROTOBUF else b"{}"
    with serving(received.ingest) as (_, client):
        for path in ("/v1/traces", "/v1/logs", "/v1/metrics"):
            response = post(client, path, body, encoding)
            assert (response.status_code, response.content) == (200, body)


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("gzip", gzip.compress),
        ("gzip", lambda body: gzip.compress(body[:50]) + gzip.compress(body[50:])),
        ("deflate", zlib.compress),
        ("deflate", lambda body: zlib.compress(body)[2:-4]),
        ("zstd", zstd.compress),
        ("identity", bytes),
    ],
)
def test_compressed_bodies_are_stored(received: Received, encoding: str, compress: Callable[[bytes], bytes]) -> None:
    with serving(received.ingest) as (_, client):
        body = compress(traces_request(200))
        assert post(client, "/v1/traces", body, content_encoding=encoding).status_code == 200
        chunks = (body[at : at + 100] for at in range(0, len(body), 100))
        response = client.post(
            "/v1/traces", content=chunks, headers={"content-type": PROTOBUF, "content-encoding": encoding}
        )
        assert response.status_code == 200
        assert post(client, "/v1/traces", compress(JSON_TRACES), JSON, content_encoding=encoding).json() == {}
    assert received.spans().num_rows == 201


@pytest.mark.parametrize("encoding", [PROTOBUF, JSON])
def test_bad_items_are_counted_and_the_good_ones_kept(received: Received, encoding: str) -> None:
    request = ExportTraceServiceRequest.FromString(traces_request(3))
    request.resource_spans[0].scope_spans[0].spans[1].trace_id = b""
    body = request.SerializeToString()
    if encoding == JSON:
        spans = [SPAN, {**SPAN, "traceId": "xyz"}, {**SPAN, "spanId": "abc"}]
        body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode()
    with serving(received.ingest) as (_, client):
        response = post(client, "/v1/traces", body, encoding)
    assert response.status_code == 200
    if encoding == JSON:
        assert response.json()["partialSuccess"]["rejectedSpans"] == "2"
        assert "trace_id" in response.json()["partialSuccess"]["errorMessage"]
    else:
        assert ExportTraceServiceResponse.FromString(response.content).partial_success.rejected_spans == 1
    assert received.spans().num_rows == (1 if encoding == JSON else 2)


def test_a_logs_request_at_the_traces_path_is_turned_away_with_a_hint(received: Received) -> None:
    with serving(received.ingest) as (_, client):
        reply = ExportTraceServiceResponse.FromString(post(client, "/v1/traces", logs_request(2)).content)
        assert reply.partial_success.rejected_spans == 2
        assert "/v1/logs" in reply.partial_success.error_message
        as_json = post(client, "/v1/traces", b'{"resourceLogs": []}', JSON)
        assert as_json.status_code == 400
        assert "/v1/logs" in status_in(as_json).message


def test_metrics_are_turned_away_point_by_point(received: Received) -> None:
    gauge = metrics_pb2.Metric(name="g", gauge=metrics_pb2.Gauge(data_points=[metrics_pb2.NumberDataPoint()] * 2))
    histogram = metrics_pb2.ExponentialHistogram(data_points=[metrics_pb2.ExponentialHistogramDataPoint()])
    scope = metrics_pb2.ScopeMetrics(metrics=[gauge, metrics_pb2.Metric(exponential_histogram=histogram)])
    resource = metrics_pb2.ResourceMetrics(scope_metrics=[scope])
    for count in (3, 9_000):
        request = ExportMetricsServiceRequest(resource_metrics=[resource] * (count // 3))
        bodies = {PROTOBUF: request.SerializeToString(), JSON: json_format.MessageToJson(request, indent=None).encode()}
        with serving(received.ingest) as (_, client):
            answers = [post(client, "/v1/metrics", body, encoding) for encoding, body in bodies.items()]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[1].json()["partialSuccess"]["rejectedDataPoints"] == str(count)
        assert b"metrics are not stored" in answers[0].content
    with serving(received.ingest) as (_, client):
        assert post(client, "/v1/metrics", b"\xff\xff").status_code == 400
        assert post(client, "/v1/metrics", b"nope", JSON).status_code == 400


def test_malformed_bodies_are_permanent_with_a_status_in_the_request_s_encoding(received: Received) -> None:
    with serving(received.ingest) as (_, client):
        protobuf = post(client, "/v1/traces", b"\xff\xff\xff")
        assert (protobuf.status_code, status_in(protobuf).code) == (400, 3)
        assert protobuf.headers["content-type"] == PROTOBUF
        syntax = post(client, "/v1/logs", b"{", JSON)
        assert (syntax.status_code, status_in(syntax).code) == (400, 3)
        field = post(client, "/v1/traces", JSON_TRACES.replace(b'"json"', b"5"), JSON)
        assert field.status_code == 400
        violation = BadRequest()
        assert status_in(field).details[0].Unpack(violation)
        assert violation.field_violations[0].field == "resourceSpans[0].scopeSpans[0].spans[0].name"
        for encoding in ("gzip", "deflate", "zstd"):
            damaged = post(client, "/v1/traces", b"not compressed", content_encoding=encoding)
            assert (damaged.status_code, status_in(damaged).code) == (400, 3)
    ledger = received.ledger.snapshot()
    assert ledger["traces"]["undecodable_requests"] == {"malformed": 5}
    assert ledger["logs"]["undecodable_requests"] == {"malformed": 1}


def test_wrong_path_method_type_and_coding_have_their_own_statuses(received: Received) -> None:
    with serving(received.ingest) as (_, client):
        unknown = post(client, "/v2/traces", b"")
        assert (unknown.status_code, status_in(unknown).code) == (404, 5)
        for method in ("GET", "PUT", "OPTIONS", "DELETE"):
            other = client.request(method, "/v1/traces", headers={"content-type": JSON})
            assert (other.status_code, other.headers["allow"]) == (405, "POST")
            assert status_in(other).code == 12
        for content_type in ("text/plain", "", "application/x-protobuf2"):
            strange = client.post(
                "/v1/traces", content=b"x", headers={"content-type": content_type} if content_type else {}
            )
            assert (strange.status_code, status_in(strange).code) == (415, 3)
        coded = post(client, "/v1/traces", b"x", content_encoding="br")
        assert (coded.status_code, coded.headers["accept-encoding"]) == (415, "gzip, deflate, zstd")
        assert status_in(coded).code == 3


def bombs() -> dict[str, bytes]:
    zeros = bytes(200 * LIMIT)
    return {"gzip": gzip.compress(zeros), "deflate": zlib.compress(zeros), "zstd": zstd.compress(zeros)}


def test_what_is_too_large_is_permanent_before_and_after_decompression(received: Received) -> None:
    with serving(received.ingest) as (_, client):
        answers = [post(client, "/v1/traces", bytes(LIMIT + 1))]
        answers.append(
            client.post("/v1/traces", content=iter([bytes(LIMIT // 2)] * 3), headers={"content-type": PROTOBUF})
        )
        answers += [post(client, "/v1/traces", body, content_encoding=name) for name, body in bombs().items()]
        answers.append(post(client, "/v1/traces", b'"' + b"x" * LIMIT + b'"', JSON))
        for answer in answers:
            assert (answer.status_code, status_in(answer).code) == (413, 8)
            assert "retry-after" not in answer.headers
        assert answers[-1].headers["content-type"] == JSON
        assert post(client, "/v1/traces", traces_request(1)).status_code == 200
    assert received.ledger.snapshot()["traces"]["undecodable_requests"] == {"too_large": 6}


def test_a_full_journal_is_retryable(tmp_path: Path) -> None:
    with receiving(tmp_path, journal_cap_bytes=1) as received, serving(received.ingest) as (_, client):
        assert_retryable(post(client, "/v1/traces", traces_request(1)))
        assert_retryable(post(client, "/v1/traces", JSON_TRACES, JSON))


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


class Full(Stuck):
    """An Ingest that takes nothing more."""

    def submit(self, request: Request) -> "Future[Outcome]":
        raise Refused("too much waits", 2.0)


def test_no_answer_refusal_and_bugs_are_retryable() -> None:
    with serving(Stuck(), settings(answer_seconds=0.2)) as (_, client):
        assert_retryable(post(client, "/v1/traces", b""))
    for ingest in (Broken(), Full()):
        with serving(ingest) as (_, client):
            assert_retryable(post(client, "/v1/traces", b""))
            assert_retryable(post(client, "/v1/logs", b"{}", JSON))


def test_too_many_requests_at_once_are_refused() -> None:
    with (
        serving(Stuck(), settings(answer_seconds=1.0, max_concurrent_requests=2)) as (_, client),
        ThreadPoolExecutor(2) as clients,
    ):
        waiting = [clients.submit(post, client, "/v1/traces", b"") for _ in range(2)]
        time.sleep(0.2)
        refused = post(client, "/v1/traces", b"")
        assert_retryable(refused)
        assert "being received" in status_in(refused).message
        for call in waiting:
            assert_retryable(call.result())


def test_bodies_that_arrive_at_once_share_a_memory_limit(received: Received) -> None:
    with serving(received.ingest, settings(max_receiving_bytes=LIMIT // 2)) as (_, client):
        assert_retryable(post(client, "/v1/traces", gzip.compress(bytes(LIMIT - 1)), content_encoding="gzip"))
        assert post(client, "/v1/traces", traces_request(1)).status_code == 200


def raw(port: int, *parts: bytes, wait: float = 0.0) -> bytes:
    """Send bytes as they are and return all that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(wait)
        answer = b""
        while data := connection.recv(65536):
            answer += data
        return answer


HEAD = b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"


def test_slow_clients_are_cut_off(received: Received) -> None:
    with serving(received.ingest, settings(header_seconds=0.3, body_seconds=0.3, keep_alive_seconds=1)) as (
        receiver,
        _,
    ):
        started = time.monotonic()
        assert raw(receiver.port) == b""
        assert raw(receiver.port, HEAD) == b""
        slow_body = raw(receiver.port, HEAD + b"content-length: 10\r\n\r\n{")
        assert slow_body.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 1" in slow_body
        assert time.monotonic() - started < 5


def test_headers_are_limited(received: Received) -> None:
    with serving(received.ingest) as (receiver, _):
        assert raw(receiver.port, HEAD + b"x: " + b"y" * 70_000, wait=0.2).startswith(b"HTTP/1.1 431")


@pytest.mark.parametrize("endless", [b"x: " + b"y" * 70_000, b"x: y\r\n" * 12_000])
def test_trailers_are_limited(received: Received, endless: bytes) -> None:
    with serving(received.ingest) as (receiver, _):
        chunked = HEAD + b"transfer-encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n"
        assert raw(receiver.port, chunked, endless, wait=0.2) == b""


def test_a_client_that_goes_away_in_mid_body_does_no_harm(received: Received) -> None:
    with serving(received.ingest) as (receiver, client):
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", receiver.port)) as connection:
                connection.sendall(HEAD + b"content-length: 100\r\n\r\n{")
        assert post(client, "/v1/traces", traces_request(1)).status_code == 200


def test_one_connection_serves_many_requests_also_after_errors(received: Received) -> None:
    with serving(received.ingest) as (receiver, _):
        too_large = HEAD + b"content-length: %d\r\n\r\n" % (LIMIT + 1) + bytes(LIMIT + 1)
        good = HEAD + b"content-length: %d\r\n\r\n" % len(JSON_TRACES) + JSON_TRACES
        last = good.replace(b"host: x", b"host: x\r\nconnection: close")
        answer = raw(receiver.port, too_large, good, good + last)
        assert [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]] == [413, 200, 200, 200]


def test_a_large_request_does_not_stall_small_ones(received: Received) -> None:
    spans = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [SPAN] * 60_000}]}]}).encode()
    with (
        serving(received.ingest, settings(max_request_bytes=64 * LIMIT, answer_seconds=30)) as (_, client),
        ThreadPoolExecutor(1) as other,
    ):
        large = other.submit(post, client, "/v1/traces", spans, JSON)
        answered = 0
        while not large.done():
            assert post(client, "/v1/traces", b"{}", JSON).status_code == 200
            answered += 1
        assert large.result().status_code == 200
    assert answered > 5


def test_cors_is_off_by_default_and_configurable(received: Received) -> None:
    cors = CorsSettings((PAGE,), ("x-tenant",), 60)
    with serving(received.ingest, settings(cors=cors), ApiKeys(["right"])) as (_, client):
        preflight = client.options("/v1/traces", headers={"origin": PAGE, "access-control-request-method": "POST"})
        assert (preflight.status_code, preflight.content) == (204, b"")
        assert preflight.headers["access-control-allow-origin"] == PAGE
        assert preflight.headers["access-control-max-age"] == "60"
        assert "x-tenant" in preflight.headers["access-control-allow-headers"]
        stranger = client.options("/v1/traces", headers={"origin": "https://evil.example"})
        assert "access-control-allow-origin" not in stranger.headers
        good = post(client, "/v1/traces", JSON_TRACES, JSON, origin=PAGE, x_api_key="right")
        refused = post(client, "/v1/traces", JSON_TRACES, JSON, origin=PAGE)
        assert (good.status_code, refused.status_code) == (200, 401)
        for response in (good, refused):
            assert response.headers["access-control-allow-origin"] == PAGE
            assert response.headers["access-control-allow-credentials"] == "true"
        assert client.options("/elsewhere", headers={"origin": PAGE}).status_code == 404
        assert client.get("/v1/traces").headers["allow"] == "POST, OPTIONS"
    with serving(received.ingest) as (_, client):
        assert "access-control-allow-origin" not in post(client, "/v1/traces", b"{}", JSON, origin=PAGE).headers


def test_keys_are_asked_for_before_the_body_is_read(received: Received) -> None:
    with serving(received.ingest, auth=ApiKeys(["right"])) as (receiver, client):
        for headers in ({}, {"authorization": "Bearer wrong"}, {"x_api_key": "wrong"}):
            answer = post(client, "/v1/traces", bytes(LIMIT + 1), **headers)
            assert (answer.status_code, status_in(answer).code) == (401, 16)
            assert answer.headers["www-authenticate"] == "Bearer"
        unfinished = HEAD + b"connection: close\r\ncontent-length: 100\r\n\r\n"
        assert raw(receiver.port, unfinished).startswith(b"HTTP/1.1 401")
        assert post(client, "/v1/traces", JSON_TRACES, JSON, authorization="Bearer right").status_code == 200
    assert received.ledger.snapshot()["traces"]["undecodable_requests"] == {"unauthenticated": 4}


def test_paths_are_configurable(received: Received) -> None:
    with serving(received.ingest, settings(traces_path="/in/spans")) as (_, client):
        assert post(client, "/in/spans", traces_request(1)).status_code == 200
        assert post(client, "/v1/traces", traces_request(1)).status_code == 404


def test_draining_finishes_what_runs_and_refuses_what_comes() -> None:
    class Slow(Stuck):
        def __init__(self) -> None:
            self.future: Future[Outcome] = Future()

        def submit(self, request: Request) -> "Future[Outcome]":
            return self.future

    slow = Slow()
    with serving(slow) as (receiver, client), ThreadPoolExecutor(1) as other:
        running = other.submit(post, client, "/v1/traces", b"{}", JSON)
        time.sleep(0.2)
        receiver.drain()
        refused = post(client, "/v1/traces", b"{}", JSON)
        assert_retryable(refused)
        assert refused.headers["connection"] == "close"
        closing = threading.Thread(target=receiver.close, args=(5.0,))
        closing.start()
        time.sleep(0.3)
        slow.future.set_result(Outcome(1))
        assert running.result().status_code == 200
        closing.join(5)
        assert not closing.is_alive()
        receiver.close()
        with pytest.raises(httpx.ConnectError):
            post(client, "/v1/traces", b"{}", JSON)


def test_a_close_that_runs_out_of_grace_tells_clients_to_retry() -> None:
    with serving(Stuck(), settings(answer_seconds=20)) as (receiver, client), ThreadPoolExecutor(1) as other:
        running = other.submit(post, client, "/v1/traces", b"{}", JSON)
        time.sleep(0.2)
        started = time.monotonic()
        receiver.close(0.5)
        assert time.monotonic() - started < 3
        assert_retryable(running.result())


def test_a_port_that_is_taken_is_named(received: Received) -> None:
    with serving(received.ingest) as (receiver, _):
        second = OtlpHttpReceiver(settings(port=receiver.port), received.ingest)
        with pytest.raises(ListenError, match=rf"127\.0\.0\.1:{receiver.port}.*in use"):
            second.start()
        second.close()


def test_sixty_four_clients_at_once(received: Received) -> None:
    with serving(received.ingest) as (receiver, _), ThreadPoolExecutor(64) as clients:

        def client(number: int) -> list[int]:
            with httpx.Client(base_url=f"http://127.0.0.1:{receiver.port}", timeout=30) as own:
                bodies = [traces_request(5, seed=number * 5 + index) for index in range(5)]
                return [post(own, "/v1/traces", body).status_code for body in bodies]

        assert list(clients.map(client, range(64))) == [[200] * 5] * 64
    assert received.spans().num_rows == 64 * 5 * 5
