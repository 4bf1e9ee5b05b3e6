"""Structured filters, answered by the real engine."""

from collections.abc import Callable

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from exporters.jaeger.generated import api_v3_pb2 as v3
from exporters.jaeger.generated.expression_pb2 import (
    AttributeReference,
    Call,
    Expression,
    FieldReference,
    List,
    NestedReference,
    Scalar,
)
from tests.component.jaeger_grpc.client import Client
from tests.component.jaeger_grpc.town import BATCHED, BROWSE, ORDER, town

V3 = v3.DESCRIPTOR.services_by_name["QueryService"]
NAMES = {ORDER: "order", BROWSE: "browse", BATCHED: "batched"}


@pytest.fixture(scope="module", autouse=True)
def _filled(write: Callable[[TracesData], None]) -> None:
    write(town())


def call(op: str, *args: Expression) -> Call:
    return Call(op=op, args=args)


def nested(op: str, *args: Expression) -> Expression:
    return Expression(call=call(op, *args))


def attr(key: str, level: str = "") -> Expression:
    return Expression(attr=AttributeReference(key=key, level=level))


def field(name: str, level: str = "span") -> Expression:
    return Expression(field=FieldReference(name=name, level=level))


def value(text: str, kind: str = "") -> Expression:
    return Expression(scalar=Scalar(value=text, type=kind))


def values(*texts: str, kind: str = "") -> Expression:
    return Expression(list=List(values=texts, type=kind))


def search(client: Client, filter_call: Call) -> set[str]:
    times = {"start_time_min": Timestamp(seconds=1), "start_time_max": Timestamp(seconds=4_000_000_000)}
    query = v3.TraceQueryParameters(filter=filter_call, **times)
    answers = client.stream(V3, "FindTraceSummaries", v3.FindTraceSummariesRequest(query=query))
    return {NAMES[bytes.fromhex(each.trace_id)] for answer in answers for each in answer.summaries}


@pytest.mark.parametrize(
    ("filter_call", "expected"),
    [
        (call("eq", attr("http.status_code"), value("500")), {"order"}),
        (call("eq", value("500"), attr("http.status_code", "span")), {"order"}),
        (call("ne", attr("http.status_code"), value("500")), {"browse"}),
        (call("gt", attr("http.status_code"), value("300")), {"order"}),
        (call("gt", value("300"), attr("http.status_code")), {"browse"}),
        (call("gte", attr("http.status_code"), value("200")), {"order", "browse"}),
        (call("eq", attr("host.name"), value("stock-1")), {"order"}),
        (call("eq", attr("host.name", "span"), value("stock-1")), set()),
        (call("eq", attr("host.name", "resource"), value("stock-1", "string")), {"order"}),
        (call("eq", attr("scope.key"), value("s")), set()),  # without a level: span or resource
        (call("exists", attr("scope.key", "scope")), {"order", "browse", "batched"}),
        (call("eq", attr("n", "event"), value("1")), {"order"}),
        (call("eq", attr("lane", "link"), value("fast")), {"batched"}),
        (call("regex", attr("zebra"), value("te?xt")), {"order"}),
        (call("in", attr("error.type"), values("Stock", "Other", kind="string")), {"order"}),
        (call("not_in", attr("error.type"), values("Stock", kind="string")), set()),
        (call("eq", field("service", "resource"), value("stock")), {"order"}),
        (call("eq", field("name"), value("settle")), {"batched"}),
        (call("in", field("name"), values("settle", "GET /browse")), {"batched", "browse"}),
        (call("eq", field("status"), value("error")), {"order"}),
        (call("eq", field("kind"), value("client")), {"order"}),
        (call("gt", field("duration"), value("45ms")), {"order"}),
        (call("lte", field("duration"), value("1.5ms")), {"batched"}),
        (call("eq", field("traceState"), value("a=b")), {"order"}),
        (call("eq", field("parentSpanID"), value("2")), {"order"}),
        (call("eq", field("name", "event"), value("exception")), {"order"}),
        (call("ne", field("name", "event"), value("other")), {"order"}),
        (call("eq", field("version", "scope"), value("2")), {"order", "browse", "batched"}),
        (
            call(
                "and",
                nested("eq", field("service", "resource"), value("front")),
                nested("or", nested("eq", field("name"), value("settle")), nested("exists", attr("zebra"))),
            ),
            {"order", "batched"},
        ),
        (
            call(
                "and",
                nested("eq", field("service", "resource"), value("stock")),
                nested("eq", attr("http.status_code"), value("500")),
            ),
            set(),  # no single span satisfies both
        ),
        (call("not", nested("eq", field("service", "resource"), value("front"))), {"order"}),
    ],
)
def test_filters(client: Client, filter_call: Call, expected: set[str]) -> None:
    assert search(client, filter_call) == expected


@pytest.mark.parametrize(
    ("filter_call", "message"),
    [
        (call("xor"), "operator 'xor' is not supported"),
        (call("some", Expression(nested=NestedReference(level="event"))), "'some' is not supported"),
        (call("and", nested("exists", attr("a"))), "at least 2 predicates"),
        (call("and", attr("a"), attr("b")), "must be predicates"),
        (call("not"), "takes 1 operand"),
        (call("eq", attr("a")), "takes 2 operands"),
        (call("eq", attr("a"), attr("b")), "with a constant"),
        (call("eq", attr(""), value("1")), "needs a key"),
        (call("eq", attr("a", "trace"), value("1")), "unknown level 'trace'"),
        (call("eq", attr("a"), value("1", "int")), "type int is not supported"),
        (call("eq", attr("a"), value("1", "string")), "type string is not supported for '1'"),
        (call("gt", attr("a"), value("m")), "ordered as numbers only"),
        (call("eq", field("spanID"), value("1")), "field span.spanID is not supported"),
        (call("eq", field("kind"), value("SERVER")), "expected one of"),
        (call("gt", field("duration"), value("5")), "expected a duration"),
        (call("gt", field("name"), value("m")), "not supported for span.name"),
        (call("regex", field("duration"), value("m")), "does not apply"),
        (call("regex", value("m"), attr("a")), "first operand of regex"),
        (call("regex", attr("a"), value("(")), "not a regular expression"),
        (call("in", attr("a"), values("1")), "must declare its type"),
        (call("in", attr("a"), value("1")), "must be a list"),
        (call("eq", Expression(), value("1")), "expected an attribute or a field"),
        (call("or", *[nested("exists", attr("a"))] * 65), "more than 64 conditions"),
        (call("or", *[nested("in", field("name"), values(*"x" * 33))] * 2), "more than 64 conditions"),
    ],
)
def test_what_cannot_be_answered_is_refused(client: Client, filter_call: Call, message: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        search(client, filter_call)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert message in caught.value.details()


def test_deep_filters_are_refused(client: Client) -> None:
    deep = nested("exists", attr("a"))
    for _ in range(40):
        deep = nested("not", deep)
    with pytest.raises(grpc.RpcError) as caught:
        search(client, deep.call)
    assert "deeper than" in caught.value.details()
