"""What the OTLP/HTTP receiver is sent, what is stored of it, and what it answers."""

import gzip
import json
import sys
import zlib
from collections.abc import Callable

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.metrics.v1 import metrics_pb2

from tests.component.otlp_http.posts import (
    JSON,
    JSON_TRACES,
    PROTOBUF,
    SPAN,
    post,
    serving,
    settings,
)
from tests.receiving import Received, logs_request, traces_request

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


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
        assert b"OTEL_METRICS_EXPORTER=none" in answers[0].content
    with serving(received.ingest) as (_, client):
        assert post(client, "/v1/metrics", b"\xff\xff").status_code == 400
        assert post(client, "/v1/metrics", b"nope", JSON).status_code == 400


def test_paths_are_configurable(received: Received) -> None:
    with serving(received.ingest, settings(traces_path="/in/spans")) as (_, client):
        assert post(client, "/in/spans", traces_request(1)).status_code == 200
        assert post(client, "/v1/traces", traces_request(1)).status_code == 404
