"""Attribute values taken apart in columns give what the protobuf decoder gives, for any bytes."""

import math

import pyarrow as pa
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from collector.otlp.any_value import any_values
from collector.otlp.generated.otlp_columns_pb2 import AnyValue as View
from tests import otlp_messages

MEMBERS = {
    "string_value": "s",
    "int_value": "i",
    "double_value": "d",
    "bool_value": "b",
    "array_value": "a",
    "kvlist_value": "k",
    "bytes_value": "y",
}


def expected(raw: bytes | None) -> tuple[str, object]:
    if raw is None:
        return "n", b""
    try:
        value = View.FromString(raw)
    except DecodeError:
        return "y", raw
    member = value.WhichOneof("value")
    if member is None:
        return "e", b""
    found = getattr(value, member)
    return MEMBERS[member], found.decode("utf-8", "replace").encode() if member == "string_value" else found


def typed(letter: str, text: bytes) -> object:
    if letter == "i":
        return int(text)
    if letter == "d":
        return float(text)
    return {b"true": True, b"false": False}[text] if letter == "b" else text


def check(raws: list[bytes | None]) -> None:
    texts, codes = any_values(pa.array(raws, pa.binary()))
    assert len(texts) == len(codes) == len(raws)
    for raw, text, code in zip(raws, texts.to_pylist(), codes.tolist(), strict=True):
        letter, value = expected(raw)
        assert chr(code) == letter, raw
        found = typed(letter, text)
        both_nan = isinstance(value, float) and math.isnan(value) and isinstance(found, float) and math.isnan(found)
        assert found == value or both_nan, raw


usual = otlp_messages.any_values.map(lambda value: value.SerializeToString())
long_texts = st.integers(100, 20_000).map(lambda size: View(string_value=b"x" * size).SerializeToString())
not_utf8 = st.binary(max_size=200).map(lambda raw: View(string_value=raw).SerializeToString())
several_members = st.lists(usual, min_size=2, max_size=3).map(b"".join)
tags = st.sampled_from([b"\x0a", b"\x10", b"\x18", b"\x21", b"\x2a", b"\x32", b"\x3a", b"\x40", b"\xf8\x01"])
anything = st.builds(bytes.__add__, tags, st.binary(max_size=14))


@given(st.lists(st.one_of(st.none(), usual, long_texts, not_utf8, several_members, anything, st.binary(max_size=20))))
def test_it_agrees_with_the_decoder(raws: list[bytes | None]) -> None:
    check(raws)


def test_lengths_at_the_edges_of_their_encoding() -> None:
    sizes = (0, 1, 126, 127, 128, 129, 16_383, 16_384, 2_097_151, 2_097_152)
    check([View(string_value=b"a" * size).SerializeToString() for size in sizes])


def test_integers_at_the_edges_of_their_encoding() -> None:
    numbers = [sign * 2**bits + step for bits in (6, 7, 13, 14, 31, 32, 62) for sign in (1, -1) for step in (-1, 0, 1)]
    check([View(int_value=number).SerializeToString() for number in [*numbers, -(2**63), 2**63 - 1]])


def test_a_column_without_bytes() -> None:
    check([])
    check([None, None])
    check([b"", None, b""])


def test_part_of_a_longer_column() -> None:
    raws = [View(string_value=b"a").SerializeToString(), View(int_value=300).SerializeToString(), b"", b"\x18\x80"]
    texts, codes = any_values(pa.array([b"\xff", *raws], pa.binary()).slice(1, 3))
    assert texts.to_pylist() == [b"a", b"300", b""]
    assert bytes(codes) == b"sie"
