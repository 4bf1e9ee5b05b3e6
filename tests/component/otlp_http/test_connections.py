"""The OTLP/HTTP server: many clients, large and unfinished requests, draining, closing, a port that is taken."""

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx
import pytest
from structlog.testing import capture_logs

from collector.pipeline.api import Outcome
from collector.receivers.auth import ApiKeys
from collector.receivers.errors import ListenError
from collector.receivers.otlp_http import OtlpHttpReceiver
from tests.component.otlp_http.posts import (
    HEAD,
    JSON,
    JSON_TRACES,
    LIMIT,
    SPAN,
    assert_retryable,
    post,
    raw,
    serving,
    settings,
)
from tests.ingests import Stuck
from tests.receiving import Received, traces_request


def test_one_connection_serves_many_requests_also_after_errors(received: Received) -> None:
    with serving(received.ingest) as (receiver, _):
        too_large = HEAD + b"content-length: %d\r\n\r\n" % (LIMIT + 1) + bytes(LIMIT + 1)
        good = HEAD + b"content-length: %d\r\n\r\n" % len(JSON_TRACES) + JSON_TRACES
        last = good.replace(b"host: x", b"host: x\r\nconnection: close")
        answer = raw(receiver.port, too_large, good, good + last)
        assert [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]] == [413, 200, 200, 200]


@pytest.mark.parametrize("last", [b"HTTP/1.1\r\nconnection: close", b"HTTP/1.0"])
def test_a_client_that_ends_its_connection_can_send_all_of_what_is_too_large_and_sees_413(
    received: Received, last: bytes
) -> None:
    size = 16 * 2**20  # more than the kernel's buffers hold
    head = HEAD.replace(b"HTTP/1.1", last) + b"content-length: %d\r\n\r\n" % size
    with serving(received.ingest, settings(max_request_bytes=size - 1)) as (receiver, _):
        answer = raw(receiver.port, head, *[bytes(2**20)] * 16)
    assert answer.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("last", [b"HTTP/1.1\r\nconnection: close", b"HTTP/1.0"])
@pytest.mark.parametrize(("field", "status"), [(b"x: y", b"401"), (b"x-api-key: right", b"415")])
def test_a_client_that_ends_its_connection_sees_why_it_is_refused_before_its_body_is_read(
    received: Received, last: bytes, field: bytes, status: bytes
) -> None:
    size = 16 * 2**20
    head = HEAD.replace(b"HTTP/1.1", last).replace(b"application/json", b"text/plain")
    head += b"%b\r\ncontent-length: %d\r\n\r\n" % (field, size)
    with serving(received.ingest, auth=ApiKeys(["right"])) as (receiver, _):
        answer = raw(receiver.port, head, *[bytes(2**20)] * 16)
    assert answer.startswith(b"HTTP/1.1 " + status)


def test_what_is_no_http_is_told_so_however_much_comes(received: Received) -> None:
    with serving(received.ingest) as (receiver, _):
        answer = raw(receiver.port, b"\x16\x03\x01", *[bytes(2**20)] * 16)
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_a_client_that_goes_on_sending_after_its_answer_does_not_hold_up_the_end(received: Received) -> None:
    head = HEAD.replace(b"application/json", b"text/plain") + b"connection: close\r\ncontent-length: 1000\r\n\r\n"
    closed = threading.Event()

    def is_cut_short(connection: socket.socket) -> bool:
        with suppress(OSError):
            for _ in range(75):
                connection.sendall(b" ")
                if closed.wait(0.2):
                    return True
            return False
        return True

    with (
        serving(received.ingest) as (receiver, _),
        ThreadPoolExecutor(1) as other,
        socket.create_connection(("127.0.0.1", receiver.port), timeout=10) as connection,
    ):
        connection.sendall(head)
        assert connection.recv(65536).startswith(b"HTTP/1.1 415 ")
        sending = other.submit(is_cut_short, connection)
        receiver.close(20.0)
        closed.set()
        assert sending.result()


def test_a_grpc_client_at_the_http_port_is_told_so_and_the_log_names_the_port(received: Received) -> None:
    opening = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(4) + b"\x04" + bytes(4)  # preface, empty SETTINGS frame
    with serving(received.ingest) as (receiver, client), capture_logs() as logged:
        port = receiver.port
        answer = raw(port, opening)
        assert post(client, "/v1/traces", JSON_TRACES, JSON).status_code == 200
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.endswith(b"gRPC has a port of its own")
    assert [line["port"] for line in logged if line["event"] == "http2_on_an_http1_port"] == [port]


OFFERS = (
    b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n",  # Java's own client, curl
    b"connection: upgrade\r\nconnection: http2-settings\r\nupgrade: h2c\r\n",
    b"connection: upgrade\r\nupgrade: websocket\r\n",
)


@pytest.mark.parametrize("offer", OFFERS)
def test_a_request_that_offers_another_protocol_is_taken_whole(
    received: Received, caplog: pytest.LogCaptureFixture, offer: bytes
) -> None:
    body = b"content-length: %d\r\n\r\n" % len(JSON_TRACES) + JSON_TRACES
    chunked = b"transfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(JSON_TRACES), JSON_TRACES)
    with serving(received.ingest) as (receiver, _):
        last = HEAD + b"connection: close\r\n" + body
        answer = raw(receiver.port, HEAD + offer + body + HEAD + offer + chunked, HEAD + offer, body, last)
    assert [part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]] == [b"200"] * 4
    assert received.ledger.snapshot()["traces"]["received"] == 4
    assert caplog.messages == []


def test_a_client_that_goes_away_in_mid_body_does_no_harm(received: Received) -> None:
    with serving(received.ingest) as (receiver, client):
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", receiver.port)) as connection:
                connection.sendall(HEAD + b"content-length: 100\r\n\r\n{")
        assert post(client, "/v1/traces", traces_request(1)).status_code == 200


def test_a_large_request_does_not_stall_small_ones(received: Received) -> None:
    spans = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [SPAN] * 60_000}]}]}).encode()
    with (
        serving(received.ingest, settings(max_request_bytes=64 * LIMIT, answer_seconds=30)) as (_, client),
        ThreadPoolExecutor(1) as other,
    ):
        post(client, "/v1/traces", b"{}", JSON)  # the first request of a process waits for what is loaded then
        large = other.submit(post, client, "/v1/traces", spans, JSON)
        answered = 0
        while not large.done():
            assert post(client, "/v1/traces", b"{}", JSON).status_code == 200
            answered += 1
        assert large.result().status_code == 200
    assert answered > 3  # one that waits for the large request would be the last


def test_sixty_four_clients_at_once(received: Received) -> None:
    with serving(received.ingest) as (receiver, _), ThreadPoolExecutor(64) as clients:

        def client(number: int) -> list[int]:
            with httpx.Client(base_url=f"http://127.0.0.1:{receiver.port}", timeout=30) as own:
                bodies = [traces_request(5, seed=number * 5 + index) for index in range(5)]
                return [post(own, "/v1/traces", body).status_code for body in bodies]

        assert list(clients.map(client, range(64))) == [[200] * 5] * 64
    assert received.spans().num_rows == 64 * 5 * 5


def test_draining_finishes_what_runs_and_refuses_what_comes() -> None:
    ingest = Stuck()
    with serving(ingest, settings(answer_seconds=60)) as (receiver, client), ThreadPoolExecutor(1) as other:
        running = other.submit(post, client, "/v1/traces", b"{}", JSON)
        ingest.wait_for(1)
        receiver.drain()
        refused = post(client, "/v1/traces", b"{}", JSON)
        assert_retryable(refused)
        assert refused.headers["connection"] == "close"
        closing = threading.Thread(target=receiver.close, args=(60.0,))
        closing.start()
        time.sleep(0.3)
        ingest.answers[0].set_result(Outcome(1))
        assert running.result().status_code == 200
        closing.join(60)
        assert not closing.is_alive()
        receiver.close()
        with pytest.raises(httpx.ConnectError):
            post(client, "/v1/traces", b"{}", JSON)


def test_a_close_that_runs_out_of_grace_tells_clients_to_retry() -> None:
    ingest = Stuck()
    with serving(ingest, settings(answer_seconds=20)) as (receiver, client), ThreadPoolExecutor(1) as other:
        running = other.submit(post, client, "/v1/traces", b"{}", JSON)
        ingest.wait_for(1)
        started = time.monotonic()
        receiver.close(0.5)
        assert time.monotonic() - started < 9
        assert_retryable(running.result())


def test_a_port_that_is_taken_is_named(received: Received) -> None:
    with serving(received.ingest) as (receiver, _):
        second = OtlpHttpReceiver(settings(port=receiver.port), received.ingest)
        with pytest.raises(ListenError, match=rf"127\.0\.0\.1:{receiver.port}.*in use"):
            second.start()
        second.close()
