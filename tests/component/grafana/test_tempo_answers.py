"""Answers that Grafana's own Tempo backend can read: what it does not look for has to be there, columns have one type.

Each test is a request of grafana-tempo-datasource 13.1.5 that its backend failed on, or would have.
"""

import uuid
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status, TracesData

from exporters.tempo.generated.tempo_pb2 import TraceByIDResponse
from storage.api import Batch, Storage
from storage.queries import Signal
from storage.schemas import AGENT_SPANS, LOGS
from tests.component.query.shop import T0, TYPED, attributes, resource, span
from tests.stored import table

BARE = bytes.fromhex("d0000000000000000000000000000001")
MIXED = bytes.fromhex("d0000000000000000000000000000002")
LONG = bytes.fromhex("d0000000000000000000000000000003")
DAY = {"start": T0 // 10**9 - 60, "end": T0 // 10**9 + 60, "limit": 20, "spss": 3}


def message() -> bytes:
    backwards = span(BARE, 4, 1, "ends before it starts", 50, -10)
    mixed = [
        span(MIXED, 1, 0, "root", 0, 5, kind=2, attributes=attributes({"code": 500, "share": 1, "ok": True, **TYPED})),
        span(MIXED, 2, 1, "text", 1, 1, attributes=attributes({"code": "500", "share": 0.5, "ok": False})),
    ]
    ages = [span(LONG, 1, 0, "now", 0, 1), Span(trace_id=LONG, span_id=b"\2" * 8, name="1970", end_time_unix_nano=1)]
    named = InstrumentationScope(name="app")
    return ExportTraceServiceRequest(
        resource_spans=[
            ResourceSpans(scope_spans=[ScopeSpans(spans=[span(BARE, 1, 0, "nothing said", 0, 100)])]),
            ResourceSpans(resource=Resource(), scope_spans=[ScopeSpans(spans=[span(BARE, 2, 1, "empty", 5, 1)])]),
            ResourceSpans(resource=resource("a"), scope_spans=[ScopeSpans(spans=[span(BARE, 3, 1, "no scope", 7, 1)])]),
            ResourceSpans(resource=resource("a"), scope_spans=[ScopeSpans(scope=named, spans=[backwards])]),
            ResourceSpans(resource=resource("b"), scope_spans=[ScopeSpans(scope=named, spans=mixed)]),
            ResourceSpans(resource=resource("c"), scope_spans=[ScopeSpans(scope=named, spans=ages)]),
        ]
    ).SerializeToString()


@pytest.fixture(scope="module", autouse=True)
def _stored(storage: Storage) -> None:
    name = f"tempo-answers-{uuid.uuid4()}"
    storage.write(Batch(name, table(Signal.TRACES, message()), LOGS.empty_table(), AGENT_SPANS.empty_table()))


def found(http: httpx.Client, query: str) -> list[dict[str, Any]]:
    answer = http.get("/tempo/api/search", params={"q": query, **DAY}, headers={"Accept": "application/json"})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["traces"])


def columns(http: httpx.Client, query: str) -> list[dict[str, Any]]:
    (trace,) = found(http, query)
    return [{each["key"]: each["value"] for each in row["attributes"]} for row in trace["spanSet"]["spans"]]


@pytest.mark.parametrize("path", ["v2/traces", "traces"])
def test_every_span_has_a_resource_a_scope_and_a_status(http: httpx.Client, path: str) -> None:
    answer = http.get(f"/tempo/api/{path}/{BARE.hex()}", headers={"Accept": "application/protobuf"})
    kind = TraceByIDResponse if path == "v2/traces" else TracesData
    body = kind.FromString(answer.content)
    groups = body.trace.resourceSpans if isinstance(body, TraceByIDResponse) else body.resource_spans
    assert all(group.HasField("resource") and group.resource.attributes for group in groups)
    scopes = [scope for group in groups for scope in group.scope_spans]
    assert all(scope.HasField("scope") for scope in scopes)
    spans = [each for scope in scopes for each in scope.spans]
    assert len(spans) == 4
    assert all(each.HasField("status") and each.status == Status() for each in spans)
    assert all(each.end_time_unix_nano >= each.start_time_unix_nano for each in spans)


def test_spans_of_a_resource_without_attributes_are_shown(http: httpx.Client) -> None:
    answer = http.get(f"/tempo/api/traces/{BARE.hex()}").json()
    services = [batch["resource"]["attributes"][0]["value"]["stringValue"] for batch in answer["batches"]]
    assert sorted(services) == ["a", "missing-service-name"]


def test_a_key_of_several_types_is_shown_as_text(http: httpx.Client) -> None:
    query = '{span.code="500"} | select(span.share, span.ok)'
    first, second = columns(http, query)
    assert first == {"code": {"stringValue": "500"}, "share": {"intValue": "1"}, "ok": {"boolValue": True}}
    assert second == {"code": {"stringValue": "500"}, "share": {"doubleValue": 0.5}, "ok": {"boolValue": False}}


def test_nested_and_empty_values_are_shown_as_text(http: httpx.Client) -> None:
    wanted = ", ".join(f"span.{key}" for key in TYPED)
    (only,) = columns(http, f'{{name="root" && .service.name="b"}} | select({wanted})')
    assert only == {
        "service.name": {"stringValue": "b"},
        "text": {"stringValue": "x"},
        "int": {"intValue": "7"},
        "double": {"doubleValue": 1.5},
        "bool": {"boolValue": True},
        "bytes": {"stringValue": "AAE="},
        "list": {"stringValue": '[1,"two"]'},
        "map": {"stringValue": '{"a":{"b":2.0}}'},
        "empty": {"stringValue": ""},
        "nan": {"doubleValue": "NaN"},
        "big": {"intValue": str(2**63 - 1)},
    }


def test_fields_that_the_query_names_are_shown(http: httpx.Client) -> None:
    (only,) = columns(http, '{kind=server && .service.name="b"} | select(status, statusMessage, instrumentation:name)')
    assert only == {
        "kind": {"stringValue": "server"},
        "service.name": {"stringValue": "b"},
        "status": {"stringValue": "unset"},
        "statusMessage": {"stringValue": ""},
        "instrumentation:name": {"stringValue": "app"},
    }


def test_a_duration_fits_into_tempos_field(http: httpx.Client) -> None:
    (trace,) = found(http, '{.service.name="c"}')
    assert trace["durationMs"] == 2**32 - 1


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('{(rootServiceName="b" || rootServiceName="c")}', [MIXED, LONG]),
        ('{(rootServiceName!="shop" && rootServiceName!="b") && name="now"}', [LONG]),
        ('{rootServiceName="b" && (span.code=500 || span.code=200)}', [MIXED]),
        ('{!(rootServiceName="b") && .service.name=~"b|c"}', [LONG]),
    ],
)
def test_what_the_search_form_makes_of_several_values(http: httpx.Client, query: str, expected: list[bytes]) -> None:
    assert sorted(trace["traceID"] for trace in found(http, query)) == sorted(each.hex() for each in expected)


@pytest.mark.parametrize("path", ["query_range", "query"])
def test_metrics_are_refused_with_the_reason(http: httpx.Client, path: str) -> None:
    answer = http.get(f"/tempo/api/metrics/{path}", params={"q": "{} | rate()", "start": 1, "end": 2})
    assert (answer.status_code, answer.text) == (400, "TraceQL metrics (rate, count_over_time …) are not supported")


def test_what_is_not_answered_says_so(http: httpx.Client) -> None:
    answer = http.get("/tempo/api/overrides")
    assert (answer.status_code, answer.text) == (404, "overrides is not supported")
