"""Zipkin v2 JSON to OTLP and back."""

from typing import Any

import orjson
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from exporters.zipkin.from_zipkin import MalformedZipkin, otlp_request
from exporters.zipkin.to_zipkin import zipkin_json
from tests.component.query.shop import attributes, resource

NOW = 1_800_000_000 * 10**9
# As Zipkin's API documentation describes a span.
SPAN: dict[str, Any] = {
    "traceId": "5af7183fb1d4cf5f",
    "parentId": "6b221d5bc9e6496c",
    "id": "352bff9a74ca9ad2",
    "kind": "CLIENT",
    "name": "get /api",
    "timestamp": 1556604172355737,
    "duration": 1431,
    "localEndpoint": {"serviceName": "backend", "ipv4": "192.168.99.1", "port": 3306},
    "remoteEndpoint": {"serviceName": "db", "ipv6": "2001:db8::c001", "port": 58648},
    "annotations": [{"timestamp": 1556604172355800, "value": "wire send"}],
    "tags": {"http.method": "GET", "http.path": "/api"},
}


def read(*spans: dict[str, Any]) -> ExportTraceServiceRequest:
    return ExportTraceServiceRequest.FromString(otlp_request(orjson.dumps(spans), NOW))


def only(request: ExportTraceServiceRequest) -> Span:
    ((span,),) = [scope.spans for each in request.resource_spans for scope in each.scope_spans]
    return span


def test_a_span_of_a_zipkin_client() -> None:
    request = read(SPAN)
    span = only(request)
    assert {a.key: a.value.string_value for a in request.resource_spans[0].resource.attributes} == {
        "service.name": "backend"
    }
    assert span.trace_id.hex() == "00000000000000005af7183fb1d4cf5f"
    assert (span.span_id.hex(), span.parent_span_id.hex()) == (SPAN["id"], SPAN["parentId"])
    assert (span.kind, span.name) == (Span.SPAN_KIND_CLIENT, "get /api")
    assert span.start_time_unix_nano == 1556604172355737_000
    assert span.end_time_unix_nano - span.start_time_unix_nano == 1431_000
    assert {a.key: a.value.string_value for a in span.attributes} == {
        "http.method": "GET",
        "http.path": "/api",
        "net.host.ip": "192.168.99.1",
        "net.host.port": "3306",
        "peer.service": "db",
        "net.peer.ip": "2001:db8::c001",
        "net.peer.port": "58648",
    }
    assert [(e.name, e.time_unix_nano) for e in span.events] == [("wire send", 1556604172355800_000)]


def test_zipkin_comes_back_as_it_was() -> None:
    (back,) = orjson.loads(zipkin_json(read(SPAN).SerializeToString()))
    assert back == {**SPAN, "traceId": SPAN["traceId"].rjust(32, "0")}


def otlp() -> ExportTraceServiceRequest:
    span = Span(
        trace_id=bytes(range(16)),
        span_id=bytes(range(8)),
        trace_state="a=b",
        name="work",
        kind=Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=NOW,
        end_time_unix_nano=NOW + 5_000,
        attributes=attributes({"text": "x", "number": 7, "list": [1, "two"], "map": {"a": 1.5}, "flag": True}),
        events=[
            Span.Event(time_unix_nano=NOW + 1000, name="exception", attributes=attributes({"type": "E", "n": 1})),
            Span.Event(time_unix_nano=NOW + 2000, name="plain"),
        ],
        links=[Span.Link(trace_id=b"\1" * 16, span_id=b"\2" * 8, trace_state="c=d|e", attributes=attributes({"k": 1}))],
        status=Status(code=Status.STATUS_CODE_ERROR, message="no stock"),
    )
    scope = InstrumentationScope(name="lib", version="2")
    return ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(resource=resource("shop"), scope_spans=[ScopeSpans(scope=scope, spans=[span])])]
    )


def test_otlp_as_zipkin() -> None:
    (span,) = orjson.loads(zipkin_json(otlp().SerializeToString()))
    assert "kind" not in span
    assert "parentId" not in span
    assert span["localEndpoint"] == {"serviceName": "shop"}
    assert span["tags"] == {
        "host.name": "shop-1",
        "otel.scope.name": "lib",
        "otel.scope.version": "2",
        "text": "x",
        "number": "7",
        "list": '[1,"two"]',
        "map": '{"a":1.5}',
        "flag": "true",
        "otel.status_code": "ERROR",
        "error": "no stock",
        "otel.status_description": "no stock",
        "w3c.tracestate": "a=b",
        "span.kind": "internal",
        "otlp.link.0": f'{"01" * 16}|{"02" * 8}|c=d|e|{{"k": 1}}|0',
    }
    assert [each["value"] for each in span["annotations"]] == ['exception|{"type": "E", "n": 1}|0', "plain"]


@pytest.mark.parametrize("port", ["0", "65536", "9" * 25, "9" * 5000, "²", "http", ""])
@pytest.mark.parametrize("ip", ["somewhere", "1.2.3", ""])
def test_what_is_no_address_stays_a_tag(ip: str, port: str) -> None:
    peer = {"net.peer.ip": ip, "net.peer.port": port}
    span = Span(trace_id=b"t" * 16, span_id=b"s" * 8, attributes=attributes(peer))
    request = ExportTraceServiceRequest(resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=[span])])])
    written = zipkin_json(request.SerializeToString())
    (found,) = orjson.loads(written)
    assert (found["tags"], "remoteEndpoint" in found) == (peer, False)
    back = only(ExportTraceServiceRequest.FromString(otlp_request(written, NOW)))
    assert {each.key: each.value.string_value for each in back.attributes} == peer


def test_otlp_comes_back_but_for_the_types_of_attributes() -> None:
    sent = otlp()
    back = ExportTraceServiceRequest.FromString(otlp_request(zipkin_json(sent.SerializeToString()), NOW))
    before, after = only(sent), only(back)
    assert back.resource_spans[0].scope_spans[0].scope == sent.resource_spans[0].scope_spans[0].scope
    for field in ("trace_id", "span_id", "trace_state", "name", "kind", "status", "events", "links"):
        assert getattr(after, field) == getattr(before, field), field
    assert {a.key: a.value.string_value for a in after.attributes} == {
        "host.name": "shop-1",
        "text": "x",
        "number": "7",
        "list": '[1,"two"]',
        "map": '{"a":1.5}',
        "flag": "true",
    }


def test_errors_as_zipkin_marks_them() -> None:
    span = only(read({**SPAN, "tags": {"error": "timeout"}}))
    assert (span.status.code, span.status.message) == (Status.STATUS_CODE_ERROR, "timeout")
    assert only(read({**SPAN, "tags": {"error": "false"}})).status.code == Status.STATUS_CODE_UNSET
    assert only(read({**SPAN, "tags": {"error": ""}})).status.code == Status.STATUS_CODE_ERROR


def test_what_may_be_missing() -> None:
    span = only(read({"traceId": "1", "id": "2"}))
    assert (span.start_time_unix_nano, span.end_time_unix_nano, span.name) == (NOW, NOW, "")
    annotated = only(read({"traceId": "1", "id": "2", "annotations": [{"timestamp": 5, "value": "a|{b"}]}))
    assert annotated.start_time_unix_nano == 5_000
    assert annotated.events[0].name == "a|{b"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "not JSON"),
        (b"{}", "expected a JSON list"),
        (b"[1]", r"\[0\]: expected an object"),
        (b'[{"traceId":"1"}]', r"\[0\]: id: expected 1 to 16"),
        (b'[{"traceId":"xyz","id":"1"}]', r"\[0\]: traceId: expected 1 to 32 hexadecimal digits"),
        (b'[{"traceId":"a b","id":"1"}]', r"\[0\]: traceId: expected 1 to 32 hexadecimal digits"),
        (b'[{"traceId":"1","id":"1","timestamp":-1}]', "microseconds"),
        (b'[{"traceId":"1","id":"1","timestamp":1e30}]', "microseconds"),
        (b'[{"traceId":"1","id":"1","tags":[1]}]', r"\[0\]: a member is not of its type"),
        (b'[{"traceId":"1","id":"1","localEndpoint":{"ipv4":"x"}}]', r"\[0\]: "),
        (b'[{"traceId":"1","id":"1","annotations":[3]}]', r"\[0\]: "),
    ],
)
def test_mistakes(body: bytes, message: str) -> None:
    with pytest.raises(MalformedZipkin, match=message):
        otlp_request(body, NOW)


def test_texts_that_only_look_like_ours_may_be_nested_without_end() -> None:
    deep = '|{"a":' + "[" * 100_000 + "]" * 100_000 + "}|0"
    link = f"{'aa' * 16}|{'bb' * 8}|{deep}"
    span = {"traceId": "1", "id": "1", "annotations": [{"timestamp": 1, "value": f"x{deep}"}]}
    request = ExportTraceServiceRequest.FromString(
        otlp_request(orjson.dumps([{**span, "tags": {"otlp.link.0": link}}]), NOW)
    )
    (stored,) = request.resource_spans[0].scope_spans[0].spans
    assert stored.events[0].name == f"x{deep}"
    assert stored.attributes[0].value.string_value == link
