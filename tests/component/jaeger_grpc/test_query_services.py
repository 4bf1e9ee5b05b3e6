"""`jaeger.api_v2` and `jaeger.api_v3` as Jaeger's own clients use them."""

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from exporters.jaeger.generated import api_v2_pb2 as v2
from exporters.jaeger.generated import api_v3_pb2 as v3
from tests.component.jaeger_grpc.client import Client
from tests.component.jaeger_grpc.town import BATCHED, BROWSE, MS, ORDER, T0, large, town

V2 = v2.DESCRIPTOR.services_by_name["QueryService"]
V3 = v3.DESCRIPTOR.services_by_name["QueryService"]
LONG, HEAVY = b"\xcc" * 16, b"\xcd" * 16
UNSET = Timestamp(seconds=-62135596800)
EVER = {"start_time_min": Timestamp(seconds=1), "start_time_max": Timestamp(seconds=4_000_000_000)}


@pytest.fixture(scope="module", autouse=True)
def _filled(write: Callable[[TracesData], None]) -> None:
    write(town())
    write(large(LONG, spans=25, bytes_a_span=10))
    write(large(HEAVY, spans=12, bytes_a_span=900_000))


def fails(call: Callable[[], object]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value.code(), caught.value.details()


def trace_v2(client: Client, trace_id: bytes, raw: bool = False) -> list[Any]:
    chunks = client.stream(V2, "GetTrace", v2.GetTraceRequest(trace_id=trace_id, start_time=UNSET, raw_traces=raw))
    return [span for chunk in chunks for span in chunk.spans]


def test_v2_model(client: Client) -> None:
    spans = {span.operation_name: span for span in trace_v2(client, ORDER)}
    root, child = spans["POST /order"], spans["RESERVE"]
    assert root.trace_id == ORDER
    assert root.span_id == (1).to_bytes(8, "big")
    assert root.start_time.ToNanoseconds() == T0
    assert root.duration.ToNanoseconds() == 50 * MS
    assert root.process == v2.Process(service_name="front", tags=[v2.KeyValue(key="host.name", v_str="front-1")])
    assert list(root.tags) == [
        v2.KeyValue(key="otel.scope.name", v_str="lib"),
        v2.KeyValue(key="otel.scope.version", v_str="2"),
        v2.KeyValue(key="bool", v_type=v2.BOOL, v_bool=True),
        v2.KeyValue(key="bytes", v_type=v2.BINARY, v_binary=b"\x00\xff"),
        v2.KeyValue(key="double", v_type=v2.FLOAT64, v_float64=1.5),
        v2.KeyValue(key="empty"),
        v2.KeyValue(key="http.status_code", v_type=v2.INT64, v_int64=500),
        v2.KeyValue(key="int", v_type=v2.INT64, v_int64=2**63 - 1),
        v2.KeyValue(key="list", v_str='[1,"two"]'),
        v2.KeyValue(key="map", v_str='{"a":{"b":2}}'),
        v2.KeyValue(key="zebra", v_str="text"),
        v2.KeyValue(key="span.kind", v_str="server"),
    ]
    assert list(child.references) == [v2.SpanRef(trace_id=ORDER, span_id=(2).to_bytes(8, "big"))]
    assert v2.KeyValue(key="error", v_type=v2.BOOL, v_bool=True) in child.tags
    (log,) = child.logs
    assert log.timestamp.ToNanoseconds() == T0 + 8 * MS + 7
    assert list(log.fields) == [
        v2.KeyValue(key="event", v_str="exception"),
        v2.KeyValue(key="n", v_type=v2.INT64, v_int64=1),
    ]


def test_v2_links_become_references(client: Client) -> None:
    (span,) = trace_v2(client, BATCHED)
    assert list(span.references) == [
        v2.SpanRef(trace_id=ORDER, span_id=(1).to_bytes(8, "big"), ref_type=v2.FOLLOWS_FROM),
        v2.SpanRef(trace_id=BROWSE, span_id=(4).to_bytes(8, "big"), ref_type=v2.CHILD_OF),
    ]


def test_v2_raw_keeps_the_order_of_attributes(client: Client) -> None:
    root = next(span for span in trace_v2(client, ORDER, raw=True) if span.operation_name == "POST /order")
    assert root.tags[2].key == "zebra"


def test_v2_chunks_of_ten_spans_of_one_trace(client: Client) -> None:
    query = v2.TraceQueryParameters(start_time_min=UNSET, start_time_max=UNSET, search_depth=10)
    chunks = client.stream(V2, "FindTraces", v2.FindTracesRequest(query=query))
    assert all(len({span.trace_id for span in chunk.spans}) == 1 for chunk in chunks)
    assert [len(chunk.spans) for chunk in chunks if chunk.spans[0].trace_id == LONG] == [10, 10, 5]
    heavy = [len(chunk.spans) for chunk in chunks if chunk.spans[0].trace_id == HEAVY]
    assert sum(heavy) == 12
    assert max(heavy) < 5  # ten would be over what a client receives
    assert len({span.trace_id for chunk in chunks for span in chunk.spans}) == 5


def test_v2_search(client: Client) -> None:
    query = v2.TraceQueryParameters(service_name="stock", tags={"error": "true"}, search_depth=10)
    chunks = client.stream(V2, "FindTraces", v2.FindTracesRequest(query=query))
    assert [len(chunk.spans) for chunk in chunks] == [3]  # the whole trace
    query.tags["error"] = "false"
    assert client.stream(V2, "FindTraces", v2.FindTracesRequest(query=query)) == []


def test_v2_names_and_dependencies(client: Client) -> None:
    assert list(client.one(V2, "GetServices", v2.GetServicesRequest()).services) == ["bulk", "front", "stock"]
    answer = client.one(V2, "GetOperations", v2.GetOperationsRequest(service="stock"))
    assert list(answer.operationNames) == ["RESERVE"]
    assert list(answer.operations) == [v2.Operation(name="RESERVE", span_kind="server")]
    times = {"start_time": Timestamp(seconds=1), "end_time": Timestamp(seconds=4_000_000_000)}
    links = client.one(V2, "GetDependencies", v2.GetDependenciesRequest(**times)).dependencies
    assert v2.DependencyLink(parent="front", child="stock", call_count=1) in links


@pytest.mark.parametrize(
    ("method", "request_", "code", "message"),
    [
        ("GetTrace", v2.GetTraceRequest(trace_id=b"\1" * 16), "NOT_FOUND", "trace not found"),
        ("GetTrace", v2.GetTraceRequest(trace_id=b"\0" * 16), "INVALID_ARGUMENT", "uninitialized TraceID"),
        ("GetTrace", v2.GetTraceRequest(), "INVALID_ARGUMENT", "uninitialized TraceID"),
        ("FindTraces", v2.FindTracesRequest(), "INVALID_ARGUMENT", "missing query"),
        (
            "FindTraces",
            v2.FindTracesRequest(query=v2.TraceQueryParameters(tags={f"k{number}": "1" for number in range(65)})),
            "INVALID_ARGUMENT",
            "more than 64 tags",
        ),
        ("ArchiveTrace", v2.ArchiveTraceRequest(), "INVALID_ARGUMENT", "uninitialized TraceID"),
        ("ArchiveTrace", v2.ArchiveTraceRequest(trace_id=ORDER), "INTERNAL", "archive span storage was not configured"),
        ("GetDependencies", v2.GetDependenciesRequest(start_time=UNSET), "INVALID_ARGUMENT", "must be initialized"),
    ],
)
def test_v2_failures(client: Client, method: str, request_: Message, code: str, message: str) -> None:
    call = client.stream if V2.methods_by_name[method].server_streaming else client.one
    found_code, found_message = fails(lambda: call(V2, method, request_))
    assert found_code.name == code
    assert message in found_message


def test_v2_takes_ids_of_eight_bytes(client: Client) -> None:
    assert len(trace_v2(client, ORDER[8:])) == 3


def test_v3_one_message_a_trace(client: Client) -> None:
    query = v3.TraceQueryParameters(service_name="front", **EVER)
    messages = client.stream(V3, "FindTraces", v3.FindTracesRequest(query=query))
    names = [[s.name for r in m.resource_spans for sc in r.scope_spans for s in sc.spans] for m in messages]
    assert names == [["settle"], ["GET /browse"], ["POST /order", "reserve", "RESERVE"]]


def test_v3_messages_stay_below_what_clients_receive(client: Client) -> None:
    messages = client.stream(V3, "GetTrace", v3.GetTraceRequest(trace_id=HEAVY.hex()))
    assert len(messages) > 2
    assert all(message.ByteSize() < 4 * 2**20 for message in messages)


def test_v3_trace_by_short_id_adjusted_and_raw(client: Client) -> None:
    (adjusted,) = client.stream(V3, "GetTrace", v3.GetTraceRequest(trace_id="A1"))
    (raw,) = client.stream(V3, "GetTrace", v3.GetTraceRequest(trace_id="a1", raw_traces=True))
    keys = [
        [pair.key for pair in message.resource_spans[0].scope_spans[0].spans[0].attributes]
        for message in (adjusted, raw)
    ]
    assert keys[0] == sorted(keys[1])
    assert keys[1][0] == "zebra"


def test_v3_summaries(client: Client) -> None:
    query = v3.TraceQueryParameters(operation_name="GET /browse", **EVER)
    (answer,) = client.stream(V3, "FindTraceSummaries", v3.FindTraceSummariesRequest(query=query))
    assert [(each.trace_id, each.span_count) for each in answer.summaries] == [(BROWSE.hex(), 1)]


def test_v3_names_and_dependencies(client: Client) -> None:
    assert list(client.one(V3, "GetServices", v3.GetServicesRequest()).services) == ["bulk", "front", "stock"]
    operations = client.one(
        V3, "GetOperations", v3.GetOperationsRequest(service="front", span_kind="client")
    ).operations
    assert list(operations) == [v3.Operation(name="reserve", span_kind="client")]
    times = {"start_time": Timestamp(seconds=1), "end_time": Timestamp(seconds=4_000_000_000)}
    links = client.one(V3, "GetDependencies", v3.GetDependenciesRequest(**times)).dependencies
    assert v3.Dependency(parent="front", child="stock", call_count=1) in links


@pytest.mark.parametrize(
    ("method", "request_", "code", "message"),
    [
        ("GetTrace", v3.GetTraceRequest(trace_id="99"), "NOT_FOUND", "trace not found"),
        ("GetTrace", v3.GetTraceRequest(trace_id="xyz"), "UNKNOWN", "malform trace ID"),
        ("FindTraces", v3.FindTracesRequest(), "INVALID_ARGUMENT", "missing query"),
        (
            "FindTraces",
            v3.FindTracesRequest(query=v3.TraceQueryParameters(start_time_min=UNSET, start_time_max=UNSET)),
            "INVALID_ARGUMENT",
            "start time min and max are required",
        ),
        ("FindTraceSummaries", v3.FindTraceSummariesRequest(), "INVALID_ARGUMENT", "missing query"),
        ("GetDependencies", v3.GetDependenciesRequest(), "INVALID_ARGUMENT", "start_time is required"),
        (
            "GetDependencies",
            v3.GetDependenciesRequest(start_time=Timestamp(seconds=2), end_time=Timestamp(seconds=2)),
            "INVALID_ARGUMENT",
            "end_time must be after start_time",
        ),
    ],
)
def test_v3_failures(client: Client, method: str, request_: Message, code: str, message: str) -> None:
    call = client.stream if V3.methods_by_name[method].server_streaming else client.one
    found_code, found_message = fails(lambda: call(V3, method, request_))
    assert found_code.name == code
    assert message in found_message
