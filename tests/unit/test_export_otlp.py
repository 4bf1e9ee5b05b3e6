"""What was sent comes back: messages through the ingest path and out again, as protobuf and as JSON."""

import base64
import json
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.internal.encoder import _VarintBytes  # type: ignore[attr-defined]
from google.protobuf.message import DecodeError, Message
from hypothesis import given
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status, TracesData

from exporters.otlp.json import logs_json, traces_json
from exporters.otlp.protobuf import logs_data, spans_chunks, traces_data
from exporters.rows import read_spans
from storage.queries import Signal
from tests import otlp_messages, stored


def ids_to_base64(value: Any) -> Any:
    """Undo OTLP JSON's hex ids, so that protobuf's own JSON parser can read the rest."""
    if isinstance(value, list):
        return [ids_to_base64(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: base64.b64encode(bytes.fromhex(item)).decode()
        if name in ("traceId", "spanId", "parentSpanId")
        else ids_to_base64(item)
        for name, item in value.items()
    }


def without_placeholders(message: Message) -> bytes:
    """Serialise with empty resource, scope and status left out: OTLP JSON always shows them."""
    copy = type(message)()
    copy.CopyFrom(message)
    for resource_group in getattr(copy, copy.DESCRIPTOR.fields[0].name):
        _drop_if_empty(resource_group, "resource")
        groups = resource_group.scope_spans if isinstance(copy, TracesData) else resource_group.scope_logs
        for group in groups:
            _drop_if_empty(group, "scope")
            for span in group.spans if isinstance(copy, TracesData) else ():
                _drop_if_empty(span, "status")
    return copy.SerializeToString(deterministic=True)


def _drop_if_empty(message: Any, field: str) -> None:
    if message.HasField(field) and not getattr(message, field).ByteSize():
        message.ClearField(field)


@given(otlp_messages.traces_data)
def test_spans_come_back_as_protobuf(sent: TracesData) -> None:
    back = traces_data(stored.table(Signal.TRACES, sent))
    assert back.SerializeToString(deterministic=True) == without_placeholders(sent)


@given(otlp_messages.logs_data)
def test_log_records_come_back_as_protobuf(sent: LogsData) -> None:
    back = logs_data(stored.table(Signal.LOGS, sent))
    assert back.SerializeToString(deterministic=True) == without_placeholders(sent)


@given(otlp_messages.traces_data)
def test_spans_come_back_as_json(sent: TracesData) -> None:
    text = traces_json(stored.table(Signal.TRACES, sent))
    back = json_format.ParseDict(ids_to_base64(json.loads(text)), TracesData())
    assert without_placeholders(back) == without_placeholders(sent)


@given(otlp_messages.logs_data)
def test_log_records_come_back_as_json(sent: LogsData) -> None:
    text = logs_json(stored.table(Signal.LOGS, sent))
    back = json_format.ParseDict(ids_to_base64(json.loads(text)), LogsData())
    assert without_placeholders(back) == without_placeholders(sent)


def span(number: int, **fields: Any) -> Span:
    return Span(trace_id=b"T" * 16, span_id=number.to_bytes(8, "big"), name=f"span {number}", **fields)


def envelope(*spans: Span, resource: Resource | None = None) -> TracesData:
    return TracesData(resource_spans=[ResourceSpans(resource=resource, scope_spans=[ScopeSpans(spans=spans)])])


def test_spans_of_one_resource_and_scope_stand_together() -> None:
    shop = Resource(attributes=[KeyValue(key="service.name", value=AnyValue(string_value="shop"))])
    messages = [envelope(span(1), resource=shop), envelope(span(2)), envelope(span(3), resource=shop)]
    back = traces_data(stored.table(Signal.TRACES, *messages))
    names = [[each.name for each in group.scope_spans[0].spans] for group in back.resource_spans]
    assert names == [["span 1", "span 3"], ["span 2"]]


def test_chunks_keep_to_the_limit() -> None:
    first = [span(number) for number in range(1, 9)]
    other = Span(trace_id=b"T" * 16, span_id=b"12345678", name="x" * 500)
    rows = read_spans(stored.table(Signal.TRACES, envelope(*first, other)))
    chunks = [*spans_chunks(rows[:8], max_bytes=150), *spans_chunks(rows[8:], max_bytes=150)]
    names = [[each.name for each in chunk.resource_spans[0].scope_spans[0].spans] for chunk in chunks]
    assert [name for chunk in names for name in chunk] == [each.name for each in [*first, other]]
    assert [len(chunk) for chunk in names] == [2, 2, 2, 2, 1]
    assert all(chunk.ByteSize() <= 150 for chunk in chunks[:-1])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (AnyValue(int_value=-(2**63)), {"intValue": "-9223372036854775808"}),
        (AnyValue(int_value=0), {"intValue": "0"}),
        (AnyValue(double_value=1.0), {"doubleValue": 1.0}),
        (AnyValue(double_value=float("nan")), {"doubleValue": "NaN"}),
        (AnyValue(double_value=float("-inf")), {"doubleValue": "-Infinity"}),
        (AnyValue(bool_value=False), {"boolValue": False}),
        (AnyValue(string_value=""), {"stringValue": ""}),
        (AnyValue(bytes_value=b"\x00\xff"), {"bytesValue": "AP8="}),
        (AnyValue(), {}),
        (AnyValue(array_value=ArrayValue()), {"arrayValue": {}}),
        (
            AnyValue(array_value=ArrayValue(values=[AnyValue(), AnyValue(int_value=7)])),
            {"arrayValue": {"values": [{}, {"intValue": "7"}]}},
        ),
    ],
)
def test_values_in_json(value: AnyValue, expected: dict[str, Any]) -> None:
    sent = envelope(span(1, attributes=[KeyValue(key="k", value=value)]))
    written = json.loads(traces_json(stored.table(Signal.TRACES, sent)))
    assert written["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"] == [{"key": "k", "value": expected}]


def test_json_as_the_collector_writes_it() -> None:
    sent = envelope(
        Span(trace_id=bytes(15) + b"\1", span_id=bytes(7) + b"\2", name="foobar", kind=2, status=Status(code=2))
    )
    assert json.loads(traces_json(stored.table(Signal.TRACES, sent))) == {
        "resourceSpans": [
            {
                "resource": {},
                "scopeSpans": [
                    {
                        "scope": {},
                        "spans": [
                            {
                                "kind": 2,
                                "name": "foobar",
                                "spanId": "0000000000000002",
                                "status": {"code": 2},
                                "traceId": "00000000000000000000000000000001",
                            }
                        ],
                    }
                ],
            }
        ]
    }


def test_text_that_is_not_utf8_inside_a_nested_value_is_repaired() -> None:
    array = ArrayValue(values=[AnyValue(string_value="caf?")])
    sent = envelope(span(1, attributes=[KeyValue(key="k", value=AnyValue(array_value=array))])).SerializeToString()
    decoded = stored.table(Signal.TRACES, sent.replace(b"caf?", b"caf\xc3"))
    value = traces_data(decoded).resource_spans[0].scope_spans[0].spans[0].attributes[0].value
    assert value.array_value.values[0].string_value == "caf\ufffd"


@pytest.mark.parametrize("depth", [1, 20, 30, 31, 32, 33, 34, 40, 45, 46, 47, 48, 49, 50, 60, 500])
@pytest.mark.parametrize("kind", ["arrays", "kvlists"])
@pytest.mark.parametrize("where", ["span", "event", "link", "resource", "scope"])
def test_what_parsers_read_comes_back_and_no_depth_makes_a_span_unreadable(where: str, kind: str, depth: int) -> None:
    raw = b""
    for _ in range(depth):
        value = field(5, raw) if kind == "arrays" else field(2, field(6, raw))  # AnyValue.array_value, KeyValue.value
        raw = field(1, value)  # ArrayValue.values, KeyValueList.values
    attribute = field(1, b"deep") + field(2, field(5 if kind == "arrays" else 6, raw))
    placed = {
        "span": field(9, attribute),
        "event": field(11, field(3, attribute)),
        "link": field(13, field(4, attribute)),
    }
    spans = field(2, span(1).SerializeToString() + placed.get(where, b""))
    scope = field(1, field(3, attribute)) if where == "scope" else b""
    resource = field(1, field(1, attribute)) if where == "resource" else b""
    body = field(1, resource + field(2, scope + spans))
    try:
        sent = TracesData.FromString(body)
    except DecodeError:
        sent = None
    decoded = stored.table(Signal.TRACES, body)
    if decoded.num_rows == 0:  # a resource or scope that no parser reads is rejected at the door
        assert where in ("resource", "scope")
        assert sent is None
        return
    back = traces_data(decoded)
    assert json.loads(traces_json(decoded))["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["name"] == "span 1"
    parsed = TracesData.FromString(back.SerializeToString())
    assert parsed.resource_spans[0].scope_spans[0].spans[0].name == "span 1"
    levels = depth * (2 if kind == "arrays" else 3)
    if (
        sent is not None and levels <= 93
    ):  # 94 fit on a span, but not on an event, and a value does not know where it is
        assert back.SerializeToString(deterministic=True) == sent.SerializeToString(deterministic=True)


def field(number: int, payload: bytes) -> bytes:
    """Encode a length-delimited field."""
    return bytes([number << 3 | 2]) + _VarintBytes(len(payload)) + payload
