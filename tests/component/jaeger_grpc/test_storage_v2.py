"""`jaeger.storage.v2` as a Jaeger in front of Baton uses it."""

from collections.abc import Callable

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from exporters.jaeger.generated import storage_v2_pb2 as pb
from exporters.jaeger.generated.expression_pb2 import Call
from tests.component.jaeger_grpc.client import Client
from tests.component.jaeger_grpc.town import BATCHED, BROWSE, MS, ORDER, T0, large, town
from tests.component.query.shop import attribute

READER = pb.DESCRIPTOR.services_by_name["TraceReader"]
DEPENDENCIES = pb.DESCRIPTOR.services_by_name["DependencyReader"]
CAPABILITIES = pb.DESCRIPTOR.services_by_name["Capabilities"]
BULK = b"\xee" * 16
GO_ZERO = Timestamp(seconds=-62135596800)  # what Go's clients send for a time that is not given


@pytest.fixture(scope="module", autouse=True)
def _filled(write: Callable[[TracesData], None]) -> None:
    write(town())
    write(large(BULK, spans=3_000, bytes_a_span=3_000))


def found(client: Client, **parameters: object) -> list[bytes]:
    """Return the ids of a search, newest first, as a Go client asks."""
    defaults = {"start_time_min": GO_ZERO, "start_time_max": GO_ZERO, "duration_min": Duration(), "search_depth": 100}
    query = pb.TraceQueryParameters(**{**defaults, **parameters})
    answer = client.one(READER, "FindTraceIDs", pb.FindTraceIDsRequest(query=query))
    return [each.trace_id for each in answer.trace_ids]


def ids_of(message: TracesData) -> set[bytes]:
    return {span.trace_id for r in message.resource_spans for s in r.scope_spans for span in s.spans}


def test_traces_come_back_as_they_were_sent(client: Client) -> None:
    query = [pb.GetTraceParams(trace_id=trace_id, start_time=GO_ZERO) for trace_id in (ORDER, b"\x99" * 16, BATCHED)]
    order, batched = client.stream(READER, "GetTraces", pb.GetTracesRequest(query=query))
    sent = {span.span_id: span for r in town().resource_spans for s in r.scope_spans for span in s.spans}
    assert ids_of(order) == {ORDER}
    assert ids_of(batched) == {BATCHED}
    got = [span for m in (order, batched) for r in m.resource_spans for s in r.scope_spans for span in s.spans]
    assert len(got) == 4
    assert all(span == sent[span.span_id] for span in got)
    assert {r.resource.attributes[0].value.string_value for r in order.resource_spans} == {"front", "stock"}


def test_unknown_ids_give_an_empty_stream(client: Client) -> None:
    assert client.stream(READER, "GetTraces", pb.GetTracesRequest(query=[pb.GetTraceParams(trace_id=b"\1" * 16)])) == []
    assert client.stream(READER, "GetTraces", pb.GetTracesRequest()) == []


def test_a_large_trace_takes_consecutive_messages_that_clients_accept(client: Client) -> None:
    query = pb.TraceQueryParameters(search_depth=10)
    messages = client.stream(READER, "FindTraces", pb.FindTracesRequest(query=query))
    assert all(message.ByteSize() < 4 * 2**20 for message in messages)
    owners = [trace_id for message in messages for trace_id in ids_of(message)]
    assert len(owners) == len(messages)  # no message mixes traces
    assert owners.count(BULK) > 2
    first = owners.index(BULK)
    assert set(owners[first : first + owners.count(BULK)]) == {BULK}
    spans = [
        s.name
        for m in messages
        for r in m.resource_spans
        for sc in r.scope_spans
        for s in sc.spans
        if BULK in ids_of(m)
    ]
    assert len(spans) == 3_000


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, [BULK, BATCHED, BROWSE, ORDER]),
        ({"search_depth": 2}, [BULK, BATCHED]),
        ({"search_depth": -1}, [BULK, BATCHED, BROWSE, ORDER]),
        ({"service_name": "stock"}, [ORDER]),
        ({"service_name": "front", "operation_name": "settle"}, [BATCHED]),
        ({"operation_name": "reserve"}, [ORDER]),
        ({"attributes": [attribute("http.status_code", 500)]}, [ORDER]),
        ({"attributes": [attribute("http.status_code", "500")]}, [ORDER]),
        ({"attributes": [attribute("double", 1.5), attribute("bool", True)]}, [ORDER]),
        ({"attributes": [attribute("error", "true")]}, [ORDER]),
        ({"attributes": [attribute("n", 1)]}, [ORDER]),
        ({"attributes": [attribute("lane", "fast")]}, [BATCHED]),
        ({"attributes": [attribute("scope.key", "s"), attribute("span.kind", "SERVER")]}, [BROWSE, ORDER]),
        ({"attributes": [attribute("resource.host.name", "stock-1")]}, [ORDER]),
        ({"service_name": "stock", "attributes": [attribute("http.status_code", 500)]}, []),
        ({"duration_min": Duration(nanos=15 * MS), "duration_max": Duration(nanos=20 * MS)}, [ORDER]),
        ({"service_name": "front", "start_time_max": Timestamp(seconds=T0 // 10**9, nanos=1000 * MS - 1)}, [ORDER]),
        ({"service_name": "front", "start_time_max": Timestamp(seconds=T0 // 10**9 + 1)}, [BROWSE, ORDER]),
        ({"service_name": "front", "start_time_min": Timestamp(seconds=T0 // 10**9 + 1)}, [BATCHED, BROWSE]),
    ],
)
def test_searches(client: Client, parameters: dict[str, object], expected: list[bytes]) -> None:
    assert found(client, **parameters) == expected


def test_summaries(client: Client) -> None:
    query = pb.TraceQueryParameters(service_name="front", operation_name="POST /order", search_depth=5)
    (answer,) = client.stream(READER, "FindTraceSummaries", pb.FindTraceSummariesRequest(query=query))
    (summary,) = answer.summaries
    assert summary == pb.TraceSummary(
        trace_id=ORDER,
        root_service_name="front",
        root_operation_name="POST /order",
        min_start_time_unix_nano=T0,
        max_end_time_unix_nano=T0 + 50 * MS,
        span_count=3,
        error_span_count=1,
        services=[
            pb.ServiceSummary(name="front", span_count=2),
            pb.ServiceSummary(name="stock", span_count=1, error_span_count=1),
        ],
    )


def test_names(client: Client) -> None:
    assert list(client.one(READER, "GetServices", pb.GetServicesRequest()).services) == ["bulk", "front", "stock"]
    answer = client.one(READER, "GetOperations", pb.GetOperationsRequest(service="front"))
    assert [(each.name, each.span_kind) for each in answer.operations] == [
        ("GET /browse", "server"),
        ("POST /order", "server"),
        ("reserve", "client"),
        ("settle", ""),
    ]
    answer = client.one(READER, "GetOperations", pb.GetOperationsRequest(service="front", span_kind="client"))
    assert [each.name for each in answer.operations] == ["reserve"]
    assert not client.one(READER, "GetOperations", pb.GetOperationsRequest(service="front", span_kind="x")).operations


def test_dependencies(client: Client) -> None:
    request = pb.GetDependenciesRequest(start_time=Timestamp(seconds=T0 // 10**9), end_time=GO_ZERO)
    links = client.one(DEPENDENCIES, "GetDependencies", request).dependencies
    assert {(link.parent, link.child): link.call_count for link in links} == {
        ("front", "front"): 1,
        ("front", "stock"): 1,
        ("bulk", "bulk"): 2_999,
    }


def test_capabilities_name_only_what_is_answered(client: Client) -> None:
    search = client.one(CAPABILITIES, "GetCapabilities", pb.GetCapabilitiesRequest()).search
    assert search.without_service_name
    assert search.same_span_conjunction
    assert list(search.filter.levels) == ["span", "resource", "scope", "event", "link"]
    assert "some" not in search.filter.operators


@pytest.mark.parametrize(
    ("method", "request_", "message"),
    [
        ("FindTraceIDs", pb.FindTraceIDsRequest(), "missing query"),
        (
            "FindTraceIDs",
            pb.FindTraceIDsRequest(query=pb.TraceQueryParameters(service_name="x", filter=Call(op="and"))),
            "filter cannot be combined",
        ),
        (
            "FindTraceIDs",
            pb.FindTraceIDsRequest(query=pb.TraceQueryParameters(filter=Call(op="some"))),
            "'some' is not supported",
        ),
    ],
)
def test_what_cannot_be_asked(client: Client, method: str, request_: object, message: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        client.one(READER, method, request_)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert message in caught.value.details()


def test_an_id_of_a_wrong_length_is_the_callers_mistake(client: Client) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        client.stream(READER, "GetTraces", pb.GetTracesRequest(query=[pb.GetTraceParams(trace_id=b"123")]))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_message_that_is_none_is_the_callers_mistake(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/jaeger.storage.v2.TraceReader/GetServices")(b"\xff\xff")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_health_and_reflection_know_every_name(channel: grpc.Channel) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    names = [
        "",
        "jaeger.api_v2.QueryService",
        "jaeger.api_v2.metrics.MetricsQueryService",
        "jaeger.api_v3.QueryService",
        "jaeger.storage.v2.TraceReader",
        "jaeger.storage.v2.DependencyReader",
        "jaeger.storage.v2.TraceWriter",
        "jaeger.storage.v2.Capabilities",
    ]
    for name in names:
        assert stub.Check(health_pb2.HealthCheckRequest(service=name)).status == health_pb2.HealthCheckResponse.SERVING
    asked = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="jaeger.storage.v2.TraceReader"),
    ]
    listed, described = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter(asked))
    services = {service.name for service in listed.list_services_response.service}
    assert {"jaeger.api_v2.QueryService", "jaeger.api_v3.QueryService"} < services
    assert "opentelemetry.proto.collector.trace.v1.TraceService" in services
    assert described.file_descriptor_response.file_descriptor_proto
