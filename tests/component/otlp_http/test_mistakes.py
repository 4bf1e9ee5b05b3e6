"""Requests that the OTLP/HTTP receiver never takes: malformed, misdirected, in a type or coding it does not know."""

import gzip

from google.rpc.error_details_pb2 import BadRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceResponse,
)

from storage.queries import Signal
from tests.component.otlp_http.posts import JSON, JSON_TRACES, PROTOBUF, post, serving, settings, status_in
from tests.receiving import Received, logs_request


def test_a_logs_request_at_the_traces_path_is_turned_away_with_a_hint(received: Received) -> None:
    with serving(received.ingest) as (_, client):
        reply = ExportTraceServiceResponse.FromString(post(client, "/v1/traces", logs_request(2)).content)
        assert reply.partial_success.rejected_spans == 2
        assert "/v1/logs" in reply.partial_success.error_message
        as_json = post(client, "/v1/traces", b'{"resourceLogs": []}', JSON)
        assert as_json.status_code == 400
        assert "/v1/logs" in status_in(as_json).message


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
        assert status_in(unknown).message.endswith("/v2/traces, use /v1/traces or /v1/logs or /v1/metrics")
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


def test_a_repeated_content_encoding_is_one_list(received: Received) -> None:
    with serving(received.ingest) as (_, client):
        headers = [("content-type", JSON), ("content-encoding", "gzip"), ("content-encoding", "identity")]
        answer = client.post("/v1/traces", content=gzip.compress(JSON_TRACES), headers=headers)
        assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "gzip, deflate, zstd")
        assert "gzip, identity" in status_in(answer).message


def test_a_signal_whose_pipeline_does_not_name_the_receiver_is_not_taken(received: Received) -> None:
    logs_only = settings(untaken={Signal.TRACES: "service.pipelines.traces.receivers"})
    with serving(received.ingest, logs_only) as (_, client):
        for content_type, body in ((PROTOBUF, b""), (JSON, JSON_TRACES)):
            answer = post(client, "/v1/traces", body, content_type)
            assert (answer.status_code, status_in(answer).code) == (404, 12)
            assert status_in(answer).message.startswith("traces are not taken here: service.pipelines.traces.receivers")
        assert status_in(post(client, "/", b"")).message.endswith("use /v1/logs or /v1/metrics")
        assert post(client, "/v1/logs", logs_request(2)).status_code == 200
        assert post(client, "/v1/metrics", b"").status_code == 200
    assert (received.spans().num_rows, received.logs().num_rows) == (0, 2)
    assert received.ledger.snapshot()["traces"]["undecodable_requests"] == {"no_pipeline": 2}
