"""How OTLP/JSON writes ids, numbers, bytes, enums, text and attribute values."""

import json
import math

import pytest

from collector.errors import Rejected
from collector.otlp.json import to_protobuf
from storage.queries import Signal
from tests.unit.otlp_json.documents import TRACE_ID, one_span, span_of, traces, value_of


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
    ["", "x", "1.5", "0x10", "1_000", " 1", "١", "NaN", "1e999999999", "9" * 5000, f"{2**63}", 1.5, True, [], {}],
)
def test_what_is_no_integer_is_rejected_with_its_path(written: object) -> None:
    with pytest.raises(Rejected, match=r"^resourceSpans\[0\].scopeSpans\[0\].spans\[0\].attributes\[0\].value.intV"):
        value_of({"intValue": written})


@pytest.mark.parametrize("written", [2**63, -(2**63) - 2**11, 10**20, 1e21, -1e300])
def test_numbers_beyond_64_bits_that_javascript_calls_integers_are_kept_as_doubles(written: float) -> None:
    found = value_of({"intValue": written}).value
    assert found.WhichOneof("value") == "double_value"
    assert found.double_value == float(written)
    (one,) = value_of({"arrayValue": {"values": [{"intValue": written}]}}).value.array_value.values
    assert one.double_value == float(written)


def test_doubles_may_be_words_strings_or_integers() -> None:
    assert math.isnan(value_of({"doubleValue": "NaN"}).value.double_value)
    assert value_of({"doubleValue": "Infinity"}).value.double_value == math.inf
    assert value_of({"doubleValue": "-Infinity"}).value.double_value == -math.inf
    assert value_of({"doubleValue": "1.5"}).value.double_value == 1.5
    assert value_of({"doubleValue": 3}).value.double_value == 3.0
    assert math.copysign(1, value_of({"doubleValue": -0.0}).value.double_value) == -1
    for bad in ("inf", "nan", "1_0", "", "x", True, 10**400, "1e400", "-1e400"):
        with pytest.raises(Rejected):
            value_of({"doubleValue": bad})


def test_a_number_that_no_double_holds_is_rejected_with_its_path() -> None:
    body = json.dumps(one_span(attributes=[{"key": "a", "value": {"doubleValue": 9}}])).replace("9}", "1e999}")
    with pytest.raises(Rejected, match=r"attributes\[0\].value.doubleValue: expected a number that a double can hold"):
        traces(body.encode())


@pytest.mark.parametrize("text", ["-_8=", "-_8", "+/8=", "+/8"])
def test_bytes_are_base64_standard_or_url_safe_padded_or_not(text: str) -> None:
    assert value_of({"bytesValue": text}).value.bytes_value == b"\xfb\xff"


def test_what_is_no_base64_is_rejected() -> None:
    for bad in ("a", "é", "a b c", "====a"):
        with pytest.raises(Rejected, match=r"bytesValue: not base64"):
            value_of({"bytesValue": bad})


def test_enums_are_numbers_or_names() -> None:
    assert span_of(kind=3).kind == 3
    assert span_of(kind="SPAN_KIND_CLIENT").kind == 3
    assert span_of(kind=99).kind == 99
    with pytest.raises(Rejected, match=r"spans\[0\].kind: "):
        span_of(kind="CLIENT")


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


def test_default_scalars_take_no_bytes() -> None:
    defaults = {"traceState": "", "name": "", "kind": 0, "droppedEventsCount": 0, "startTimeUnixNano": "0", "flags": 0}
    assert to_protobuf(Signal.TRACES, json.dumps(one_span(**defaults)).encode()) == to_protobuf(
        Signal.TRACES, json.dumps(one_span()).encode()
    )
