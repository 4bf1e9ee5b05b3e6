"""Sizes, numbers and deadlines of the OTLP/HTTP receiver, and whether to come back."""

import gzip
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from collector.pipeline.api import Outcome
from tests.component.otlp_http.posts import (
    HEAD,
    JSON,
    JSON_TRACES,
    LIMIT,
    PROTOBUF,
    assert_retryable,
    post,
    raw,
    serving,
    settings,
    status_in,
)
from tests.ingests import Broken, Full, Stuck
from tests.receiving import Received, receiving, traces_request

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


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


def test_no_answer_refusal_and_bugs_are_retryable() -> None:
    with serving(Stuck(), settings(answer_seconds=0.2)) as (_, client):
        assert_retryable(post(client, "/v1/traces", b""))
    for ingest in (Broken(), Full()):
        with serving(ingest) as (_, client):
            assert_retryable(post(client, "/v1/traces", b""))
            assert_retryable(post(client, "/v1/logs", b"{}", JSON))


def test_too_many_requests_at_once_are_refused() -> None:
    ingest = Stuck()
    with (
        serving(ingest, settings(answer_seconds=60, max_concurrent_requests=2)) as (_, client),
        ThreadPoolExecutor(2) as clients,
    ):
        waiting = [clients.submit(post, client, "/v1/traces", b"") for _ in range(2)]
        ingest.wait_for(2)
        refused = post(client, "/v1/traces", b"")
        assert_retryable(refused)
        assert "being received" in status_in(refused).message
        for answer in ingest.answers:
            answer.set_result(Outcome(0))
        assert [call.result().status_code for call in waiting] == [200] * 2


def test_bodies_that_arrive_at_once_share_a_memory_limit(received: Received) -> None:
    with serving(received.ingest, settings(max_receiving_bytes=LIMIT // 2)) as (_, client):
        assert_retryable(post(client, "/v1/traces", gzip.compress(bytes(LIMIT - 1)), content_encoding="gzip"))
        assert post(client, "/v1/traces", traces_request(1)).status_code == 200


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
        assert time.monotonic() - started < 9  # one of the defaults alone would be 10


def test_headers_are_limited(received: Received) -> None:
    with serving(received.ingest) as (receiver, _):
        assert raw(receiver.port, HEAD + b"x: " + b"y" * 70_000, wait=0.2).startswith(b"HTTP/1.1 431")
        whole = HEAD + b"content-length: 2\r\nx: " + b"y" * 70_000 + b"\r\n\r\n{}"
        answer = raw(receiver.port, whole)
        assert answer.startswith(b"HTTP/1.1 431")
        assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize("endless", [b"x: " + b"y" * 70_000, b"x: y\r\n" * 12_000])
def test_trailers_are_limited(received: Received, endless: bytes) -> None:
    with serving(received.ingest) as (receiver, _):
        chunked = HEAD + b"transfer-encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n"
        assert raw(receiver.port, chunked, endless, wait=0.2) == b""
