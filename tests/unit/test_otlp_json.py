"""OTLP/JSON to protobuf: every message survives, every rule of the encoding holds, nothing crashes."""

import base64
import json
import math
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.errors import Rejected
from collector.otlp.json import to_protobuf
from collector.otlp.json_messages import MAX_MESSAGE_DEPTH
from storage.queries import Signal
from tests import otlp_messages

TRACE_ID = "5b8efff798038103d269b633813fc60c"
SPAN_ID = "eee19b7ec3c1b174"
IDS = ("traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id")


def hex_ids(value: Any) -> Any:
    """Write ids as OTLP/JSON does; protobuf's own JSON has them in base64."""
    if isinstance(value, list):
        return [hex_ids(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: base64.b64decode(item).hex() if name in IDS else hex_ids(item) for name, item in value.items()}


def as_json(message: Message, snake_case: bool) -> bytes:
    document = json_format.MessageToDict(message, use_integers_for_enums=True, preserving_proto_field_name=snake_case)
    return json.dumps(hex_ids(document)).encode()


def traces(document: object) -> ExportTraceServiceRequest:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return ExportTraceServiceRequest.FromString(to_protobuf(Signal.TRACES, body))


def one_span(**fields: object) -> dict[str, Any]:
    span = {"traceId": TRACE_ID, "spanId": SPAN_ID, **fields}
    return {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}


def span_of(**fields: object) -> Span:
    return traces(one_span(**fields)).resource_spans[0].scope_spans[0].spans[0]


def value_of(value: object) -> KeyValue:
    return span_of(attributes=[{"key": "k", "value": value}]).attributes[0]


def complaint(body: bytes) -> str:
    """Return what a body is rejected for, or nothing; any other error is a failure."""
    try:
        to_protobuf(Signal.TRACES, body)
    except Rejected as error:
        return str(error)
    return ""


@given(otlp_messages.traces_data, st.booleans())
def test_every_trace_message_survives(message: Message, snake_case: bool) -> None:
    body = as_json(message, snake_case)
    serialised = to_protobuf(Signal.TRACES, body)
    assert ExportTraceServiceRequest.FromString(serialised).SerializeToString(deterministic=True) == (
        message.SerializeToString(deterministic=True)
    )


@given(otlp_messages.logs_data, st.booleans())
def test_every_logs_message_survives(message: Message, snake_case: bool) -> None:
    body = as_json(message, snake_case)
    serialised = to_protobuf(Signal.LOGS, body)
    assert ExportLogsServiceRequest.FromString(serialised).SerializeToString(deterministic=True) == (
        message.SerializeToString(deterministic=True)
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["key", "value", "kind", *IDS]), inner),
    max_leaves=5,
)


@given(st.sampled_from(["attributes", "kind", "name", "events", "traceId", "status", "flags", "links"]), json_values)
def test_any_value_in_any_field_is_converted_or_rejected_with_its_path(field: str, value: object) -> None:
    problem = complaint(json.dumps(one_span(**{field: value})).encode())
    assert problem == "" or field in problem or "not JSON" in problem


@given(st.binary(max_size=40))
def test_bytes_that_are_no_json_are_rejected(body: bytes) -> None:
    complaint(body)


def test_ids_are_hex_of_either_case() -> None:
    span = span_of(traceId=TRACE_ID.upper(), parentSpanId="00000000000000Ff")
    assert span.trace_id.hex() == TRACE_ID
    assert span.parent_span_id == bytes(7) + b"\xff"


@pytest.mark.parametrize("bad", ["abc", "zz" * 16, "z" * 16, "z" * 8, "00ff", "AAAAAAAAAAAAAAAAAAAAAA==", "é", " "])
def test_a_bad_id_goes_on_with_a_length_that_validation_rejects(bad: str) -> None:
    span = span_of(traceId=bad, spanId=bad)
    assert len(span.trace_id) not in {0, 16}
    assert len(span.span_id) not in {0, 8}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("9223372036854775807", 2**63 - 1),
        (-(2**63), -(2**63)),
        ("-9223372036854775808", -(2**63)),
        (1.5e3, 1500),
        ("1.5e3", 1500),
        ("1e18", 10**18),
        ("-0", 0),
        (7.0, 7),
    ],
)
def test_integers_may_be_strings_numbers_or_whole_floats(written: object, read: int) -> None:
    found = value_of({"intValue": written}).value
    assert found.WhichOneof("value") == "int_value"
    assert found.int_value == read


@pytest.mark.parametrize(
    "written",
    ["", "x", "1.5", "0x10", "1_000", " 1", "١", "NaN", "1e999999999", "9" * 5000, 1.5, 2**63, 1e300, True, [], {}],
)
def test_what_is_no_integer_is_rejected_with_its_path(written: object) -> None:
    with pytest.raises(Rejected, match=r"^resourceSpans\[0\].scopeSpans\[0\].spans\[0\].attributes\[0\].value.intV"):
        value_of({"intValue": written})


def test_doubles_may_be_words_strings_or_integers() -> None:
    assert math.isnan(value_of({"doubleValue": "NaN"}).value.double_value)
    assert value_of({"doubleValue": "Infinity"}).value.double_value == math.inf
    assert value_of({"doubleValue": "-Infinity"}).value.double_value == -math.inf
    assert value_of({"doubleValue": "1.5"}).value.double_value == 1.5
    assert value_of({"doubleValue": 3}).value.double_value == 3.0
    assert math.copysign(1, value_of({"doubleValue": -0.0}).value.double_value) == -1
    for bad in ("inf", "nan", "1_0", "", "x", True, 10**400):
        with pytest.raises(Rejected):
            value_of({"doubleValue": bad})


@pytest.mark.parametrize("text", ["-_8=", "-_8", "+/8=", "+/8"])
def test_bytes_are_base64_standard_or_url_safe_padded_or_not(text: str) -> None:
    assert value_of({"bytesValue": text}).value.bytes_value == b"\xfb\xff"


def test_what_is_no_base64_is_rejected() -> None:
    for bad in ("a", "é", "a b c", "====a"):
        with pytest.raises(Rejected, match=r"bytesValue: not base64"):
            value_of({"bytesValue": bad})


def test_empty_values_keep_their_meaning() -> None:
    assert value_of({}).HasField("value")
    assert value_of({}).value.WhichOneof("value") is None
    assert not value_of(None).HasField("value")
    assert value_of({"stringValue": None}).value.WhichOneof("value") is None
    assert value_of({"stringValue": ""}).value.WhichOneof("value") == "string_value"
    assert value_of({"intValue": 0}).value.WhichOneof("value") == "int_value"
    assert value_of({"boolValue": False}).value.WhichOneof("value") == "bool_value"
    assert value_of({"arrayValue": {}}).value.WhichOneof("value") == "array_value"
    assert value_of({"kvlistValue": {"values": []}}).value.WhichOneof("value") == "kvlist_value"
    assert value_of({"arrayValue": {"values": [None, {"intValue": 1}]}}).value.array_value.values[1].int_value == 1


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


def test_enums_are_numbers_or_names() -> None:
    assert span_of(kind=3).kind == 3
    assert span_of(kind="SPAN_KIND_CLIENT").kind == 3
    assert span_of(kind=99).kind == 99
    with pytest.raises(Rejected, match=r"spans\[0\].kind: "):
        span_of(kind="CLIENT")


def test_of_repeated_keys_the_last_counts_and_list_entries_are_all_kept() -> None:
    body = json.dumps(one_span()).encode().replace(b'"spanId"', b'"name": "first", "name": "last", "spanId"')
    assert traces(body).resource_spans[0].scope_spans[0].spans[0].name == "last"
    twice = span_of(attributes=[{"key": "k", "value": {"intValue": 1}}, {"key": "k", "value": {"intValue": 2}}])
    assert [attribute.value.int_value for attribute in twice.attributes] == [1, 2]


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        (b'"a\\ud800b"', "a�b"),
        (b'"\\udc00\\ud83d\\ude00"', "�😀"),
        (b'"a\xffb"', "a�b"),
        (b'"\\u0000\\ud83d\\ude00"', "\0😀"),
    ],
)
def test_text_that_is_not_unicode_is_repaired(raw: bytes, read: str) -> None:
    body = json.dumps(one_span(name="?")).encode().replace(b'"?"', raw)
    assert traces(body).resource_spans[0].scope_spans[0].spans[0].name == read


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


def test_a_document_of_another_signal_is_rejected_with_a_hint() -> None:
    with pytest.raises(Rejected, match=r"send it to /v1/traces, not /v1/logs") as caught:
        to_protobuf(Signal.LOGS, json.dumps(one_span()).encode())
    assert caught.value.reason == "wrong_signal"
    with pytest.raises(Rejected, match=r"send it to /v1/metrics"):
        to_protobuf(Signal.TRACES, b'{"resourceMetrics": []}')
    assert to_protobuf(Signal.TRACES, b"{}") == b""


def test_default_scalars_take_no_bytes() -> None:
    explicit = span_of(traceState="", name="", kind=0, droppedEventsCount=0, startTimeUnixNano="0", flags=0)
    assert explicit.ByteSize() == span_of().ByteSize()
    assert AnyValue(int_value=0).ByteSize() == value_of({"intValue": "0"}).value.ByteSize()
