"""Stored attribute values decoded for readers."""

import pytest
from google.protobuf.internal.encoder import _VarintBytes  # type: ignore[attr-defined]
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from storage.attributes import Value, decode, from_any_value, to_any_value
from tests.otlp_messages import any_values

NESTED = AnyValue(
    array_value=ArrayValue(
        values=[
            AnyValue(string_value="caf?"),
            AnyValue(
                kvlist_value=KeyValueList(values=[KeyValue(key="n?", value=AnyValue(int_value=5)), KeyValue(key="m")])
            ),
            AnyValue(),
        ]
    )
)


@given(any_values)
def test_every_value_survives(value: AnyValue) -> None:
    back = to_any_value(*from_any_value(value))
    assert back.SerializeToString(deterministic=True) == value.SerializeToString(deterministic=True)


@pytest.mark.parametrize(
    ("letter", "raw", "value"),
    [
        ("s", "ü".encode(), "ü"),
        ("i", b"-9223372036854775808", -(2**63)),
        ("d", b"1", 1.0),
        ("d", b"-inf", float("-inf")),
        ("b", b"true", True),
        ("b", b"false", False),
        ("y", b"\xff", b"\xff"),
        ("e", b"", None),
        ("n", b"", None),
        ("a", b"", []),
        ("k", b"", {}),
    ],
)
def test_values_are_pythons(letter: str, raw: bytes, value: Value) -> None:
    decoded = decode(letter, raw)
    assert decoded == value
    assert type(decoded) is type(value)


def test_nested_text_that_is_not_utf8_is_replaced() -> None:
    letter, raw = from_any_value(NESTED)
    assert decode(letter, raw.replace(b"?", b"\xc3")) == ["caf\ufffd", {"n\ufffd": 5, "m": None}, None]


@pytest.mark.parametrize("letter", ["a", "k"])
@given(raw=st.binary(max_size=20))
def test_no_bytes_break_a_reader(letter: str, raw: bytes) -> None:
    decode(letter, raw)


def test_values_nested_too_deep_are_bytes() -> None:
    raw = b""
    for _ in range(120):
        value = b"\x2a" + _VarintBytes(len(raw)) + raw  # AnyValue.array_value
        raw = b"\x0a" + _VarintBytes(len(value)) + value  # ArrayValue.values
    assert decode("a", raw) == raw
