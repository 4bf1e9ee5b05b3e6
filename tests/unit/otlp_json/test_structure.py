"""Objects and lists of OTLP/JSON: what may be left out, what is ignored, what is rejected with its path."""

import json
from typing import Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.errors import Rejected
from collector.otlp.json import to_protobuf
from collector.otlp.json_messages import MAX_MESSAGE_DEPTH
from storage.queries import Signal
from tests.unit.otlp_json.documents import SPAN_ID, TRACE_ID, one_span, span_of, traces, value_of


def test_null_is_the_default_and_unknown_fields_are_ignored() -> None:
    span = span_of(name=None, attributes=None, kind=None, status=None, future={"deep": [1, {"x": None}]})
    assert span == Span(trace_id=bytes.fromhex(TRACE_ID), span_id=bytes.fromhex(SPAN_ID))


@pytest.mark.parametrize(
    "attribute",
    [
        {"key": "k", "value": {"stringValue": "v"}},
        {"value": {"string_value": "v"}, "key": "k"},
        {"key": "k", "value": {"stringValue": "v", "future": 1}},
        {"key": "k", "value": {"stringValue": "v"}, "future": 1},
        {"key": "k", "keyStrindex": 0, "value": {"stringValue": "v"}},
    ],
)
def test_attributes_in_any_shape(attribute: dict[str, Any]) -> None:
    found = span_of(attributes=[attribute, None, {"key": "k"}, {}]).attributes
    assert found[0] == KeyValue(key="k", value=AnyValue(string_value="v"))
    assert [entry.HasField("value") for entry in found] == [True, False, False, False]


def test_of_repeated_keys_the_last_counts_and_list_entries_are_all_kept() -> None:
    body = json.dumps(one_span()).encode().replace(b'"spanId"', b'"name": "first", "name": "last", "spanId"')
    assert traces(body).resource_spans[0].scope_spans[0].spans[0].name == "last"
    twice = span_of(attributes=[{"key": "k", "value": {"intValue": 1}}, {"key": "k", "value": {"intValue": 2}}])
    assert [attribute.value.int_value for attribute in twice.attributes] == [1, 2]


def test_a_byte_order_mark_is_tolerated() -> None:
    assert traces(b"\xef\xbb\xbf" + json.dumps(one_span()).encode()).resource_spans


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"1", b'"x"', b"{", b'{"a": NaN}', b"{} {}", b"[" * 200_000])
def test_what_is_no_json_object_is_rejected(body: bytes) -> None:
    with pytest.raises(Rejected) as caught:
        to_protobuf(Signal.TRACES, body)
    assert caught.value.reason == "malformed"


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ({"resourceSpans": {}}, "resourceSpans"),
        ({"resourceSpans": [1]}, "resourceSpans[0]"),
        (one_span(name=5), "resourceSpans[0].scopeSpans[0].spans[0].name"),
        (one_span(startTimeUnixNano=-1), "resourceSpans[0].scopeSpans[0].spans[0].startTimeUnixNano"),
        (one_span(flags=2**32), "resourceSpans[0].scopeSpans[0].spans[0].flags"),
        (
            one_span(events=[{}, {"timeUnixNano": "x"}]),
            "resourceSpans[0].scopeSpans[0].spans[0].events[1].timeUnixNano",
        ),
        (one_span(attributes=[{"key": "k", "value": "v"}]), "spans[0].attributes[0].value"),
        (one_span(attributes={"k": "v"}), "spans[0].attributes"),
        (one_span(attributes=[{"key": "k", "value": {"boolValue": 1}}]), "attributes[0].value.boolValue"),
        (one_span(traceId=5), "spans[0].traceId"),
    ],
)
def test_a_wrong_type_is_rejected_with_its_path(document: object, where: str) -> None:
    with pytest.raises(Rejected) as caught:
        traces(document)
    path, _, problem = str(caught.value).partition(": ")
    assert path.endswith(where)
    assert problem


def test_a_document_of_another_signal_is_rejected_with_a_hint() -> None:
    with pytest.raises(Rejected, match=r"send it to /v1/traces, not /v1/logs") as caught:
        to_protobuf(Signal.LOGS, json.dumps(one_span()).encode())
    assert caught.value.reason == "wrong_signal"
    with pytest.raises(Rejected, match=r"send it to /v1/metrics"):
        to_protobuf(Signal.TRACES, b'{"resourceMetrics": []}')
    assert to_protobuf(Signal.TRACES, b"{}") == b""


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {"intValue": 1}
    for _ in range(levels):
        value = {"arrayValue": {"values": [value]}}
    return value


def test_values_nest_as_deep_as_protobuf_parsers_read() -> None:
    levels = (MAX_MESSAGE_DEPTH - 6) // 2  # request, resource spans, scope spans, span, attribute and value come first
    assert value_of(nested(levels)).value.WhichOneof("value") == "array_value"
    for deeper in (levels + 1, 300, 330, 400, 5_000):
        value = '{"arrayValue":{"values":[' * deeper + "{}" + "]}}" * deeper
        body = json.dumps(one_span(attributes=[{"key": "k", "value": "?"}])).replace('"?"', value)
        with pytest.raises(Rejected, match=r"deep"):
            traces(body.encode())


def test_an_error_deep_inside_takes_no_longer_than_no_error() -> None:
    for members in (("kvlistValue",), ("kvlistValue", "arrayValue")):
        value: dict[str, Any] = {"intValue": "wrong"}
        for level in range(30):
            member = members[level % len(members)]
            entry = {"key": "k", "value": value} if member == "kvlistValue" else value
            value = {member: {"values": [entry]}}
        with pytest.raises(Rejected, match="intValue: expected an integer"):
            value_of(value)
