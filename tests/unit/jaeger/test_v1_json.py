"""Details of Jaeger's v1 JSON that the golden trace does not show."""

import json
from typing import Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from exporters.columns import Attribute
from exporters.jaeger.tags import tags
from exporters.jaeger.v1_json import Rendering, trace_json
from exporters.rows import SpanRow
from storage.attributes import from_any_value
from tests.unit.jaeger.spans import TRACE, link, span, text


def shown(*rows: SpanRow, raw: bool = False, **options: Any) -> Any:
    return json.loads(trace_json(list(rows), Rendering(raw=raw), **options))


def attribute(value: AnyValue) -> Attribute:
    letter, raw = from_any_value(value)
    return ("k", letter, raw if letter in "aky" else raw.decode())


def doubles(*values: float) -> AnyValue:
    return AnyValue(array_value=ArrayValue(values=[AnyValue(double_value=each) for each in values]))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (AnyValue(double_value=float("nan")), ("float64", "NaN")),
        (AnyValue(double_value=float("-inf")), ("float64", "-Infinity")),
        (AnyValue(int_value=2**53), ("int64", str(2**53))),
        (AnyValue(int_value=-(2**53) + 1), ("int64", -(2**53) + 1)),
        (AnyValue(array_value=ArrayValue()), ("string", "[]")),
        (AnyValue(array_value=ArrayValue(values=[AnyValue(double_value=float("inf"))])), ("string", '["Infinity"]')),
        (AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key="ü<")])), ("string", '{"ü<":null}')),
        (
            doubles(1e20, 1e21, 123456789012345680.0, -0.0, 3.0, 0.5),
            ("string", f"[1{'0' * 20},1e+21,123456789012345680,-0,3,0.5]"),
        ),
        (doubles(1e-6, 1.5e-6, 1e-7), ("string", "[0.000001,0.0000015,1e-7]")),
        (
            AnyValue(array_value=ArrayValue(values=[AnyValue(string_value="\u2028\u2029")])),
            ("string", r'["\u2028\u2029"]'),
        ),
    ],
)
def test_values(value: AnyValue, expected: tuple[str, Any]) -> None:
    kind, shown_value = expected
    assert tags([attribute(value)]) == [{"key": "k", "type": kind, "value": shown_value}]


def test_undecodable_nested_bytes_are_shown_in_base64() -> None:
    assert tags([("k", "a", b"\xff\xff")]) == [{"key": "k", "type": "string", "value": "//8="}]


def test_raw_keeps_order_and_duplicates() -> None:
    row = span(1, attributes=[text("b", "1"), text("a", "2"), text("b", "3")])
    assert [tag["key"] for tag in shown(row, raw=True)["spans"][0]["tags"]] == ["b", "a", "b"]


def test_a_negative_duration_counts_as_zero() -> None:
    assert shown(span(1, duration=-5_000))["spans"][0]["duration"] == 0


def test_a_parent_of_zeros_is_none() -> None:
    assert shown(span(1, parent_span_id=bytes(8)))["spans"][0]["references"] == []


def test_a_link_to_the_parent_decides_the_references_type() -> None:
    row = span(2, 1, links=[link(TRACE, (1).to_bytes(8, "big"))])
    (reference,) = shown(span(1), row)["spans"][1]["references"]
    assert (reference["refType"], reference["spanID"]) == ("FOLLOWS_FROM", "0000000000000001")


def test_equal_processes_are_one() -> None:
    other = span(2, 1)
    other.resource = type(other.resource)(None, "https://another.schema", ())
    trace = shown(span(1), other, span(3, 1, service_name="shop"))
    assert [each["processID"] for each in trace["spans"]] == ["p1", "p1", "p2"]
    assert [process["serviceName"] for process in trace["processes"].values()] == ["missing-service-name", "shop"]


def test_transfers_show_on_the_span_that_caused_them_even_under_a_new_id() -> None:
    transfer = {
        "from_agent": "triage",
        "to_agent": "refunds",
        "kind": "handoff",
        "completed": True,
        "waits": False,
        "time_unix_nano": 1_500_000,
        "reason": "wants money back",
        "confidence": 0.9,
        "target_span_id": b"\1" * 8,
        "target_trace_id": b"",
    }
    server = span(9, 1, kind=2)
    caused = {(TRACE, server.span_id): [transfer, transfer | {"to_agent": "billing"}]}
    trace = shown(span(1), span(9, 1, kind=3), server, transfers={(TRACE, (1).to_bytes(8, "big")): [transfer]} | caused)
    assert [[tag["value"] for tag in each["tags"] if tag["key"] == "agent.transfer"] for each in trace["spans"]] == [
        ["triage → refunds"],
        ["triage → refunds", "triage → billing"],
        ["triage → refunds", "triage → billing"],
    ]
    log = trace["spans"][0]["logs"][0]
    assert log["timestamp"] == 1_500
    assert [(field["key"], field["value"]) for field in log["fields"]] == [
        ("event", "agent transfer"),
        ("kind", "handoff"),
        ("from_agent", "triage"),
        ("to_agent", "refunds"),
        ("reason", "wants money back"),
        ("completed", True),
        ("waits", False),
        ("confidence", 0.9),
        ("target_span_id", "01" * 8),
    ]
