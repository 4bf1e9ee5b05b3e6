"""Zipkin in and out, over real servers."""

import gzip
from pathlib import Path

import httpx
import orjson

from collector.forwarding.queue import ForwardQueue
from collector.pipeline.api import Request
from collector.receivers.auth import ApiKeys
from collector.receivers.settings import HttpSettings
from collector.receivers.zipkin import ZipkinReceiver
from exporters.http_client import HttpEndpoint
from exporters.zipkin.client import ZipkinClient
from storage.queries import Signal
from tests.component.forwarding.relay import forwarding, sending
from tests.receiving import receiving, traces_request
from tests.waiting import until

SPANS = orjson.dumps([{"traceId": "a1", "id": "1", "name": "get", "timestamp": 1_800_000_000_000_000, "duration": 5}])


def test_spans_are_taken_and_mistakes_named(tmp_path: Path) -> None:
    with receiving(tmp_path) as received:
        receiver = ZipkinReceiver(HttpSettings("127.0.0.1", 0, max_request_bytes=10_000), received.ingest)
        receiver.start()
        with httpx.Client(base_url=f"http://127.0.0.1:{receiver.port}") as http:
            path = "/api/v2/spans"
            assert http.post(path, content=SPANS, headers={"Content-Type": "application/json"}).status_code == 202
            zipped = gzip.compress(SPANS.replace(b'"1"', b'"2"'))
            assert http.post(path, content=zipped, headers={"Content-Encoding": "gzip"}).status_code == 202
            bad = http.post(path, content=b'[{"traceId":"a1"}]')
            assert (bad.status_code, bad.text) == (400, "[0]: id: expected 1 to 16 hexadecimal digits")
            assert http.post(path, content=b" " * 20_000).status_code == 413
            assert http.post("/api/v1/spans", content=SPANS).status_code == 404
            assert http.get(path).status_code == 405
            assert http.post(path, content=SPANS, headers={"Content-Type": "application/x-thrift"}).status_code == 415
        receiver.close()
        spans = received.spans()
    assert sorted(spans["span_id"].to_pylist()) == [(1).to_bytes(8, "big"), (2).to_bytes(8, "big")]
    assert set(spans["duration_ns"].to_pylist()) == {5_000}


def test_keys_are_asked_for_when_there_are_some(tmp_path: Path) -> None:
    with receiving(tmp_path) as received:
        receiver = ZipkinReceiver(HttpSettings("127.0.0.1", 0), received.ingest, ApiKeys(["secret"]))
        receiver.start()
        url = f"http://127.0.0.1:{receiver.port}/api/v2/spans"
        assert httpx.post(url, content=SPANS).status_code == 401
        assert httpx.post(url, content=SPANS, headers={"X-Api-Key": "secret"}).status_code == 202
        receiver.close()


def test_forwarding_to_zipkin(tmp_path: Path) -> None:
    queue = ForwardQueue(tmp_path / "queue", 2**26, frozenset({Signal.TRACES}))
    with receiving(tmp_path / "down") as down:
        receiver = ZipkinReceiver(HttpSettings("127.0.0.1", 0), down.ingest)
        receiver.start()
        client = ZipkinClient(HttpEndpoint(f"http://127.0.0.1:{receiver.port}/api/v2/spans"))
        with forwarding(queue, client) as forwarder, sending(tmp_path / "up", queue) as ingest:
            ingest.submit(Request(Signal.TRACES, traces_request(9), "test")).result(timeout=60)
            until(lambda: forwarder.status.delivered == 9)
        receiver.close()
        assert down.spans().num_rows == 9
