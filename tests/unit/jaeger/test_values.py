"""Ids, durations, booleans and times as Jaeger and Go read and write them."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.query.jaeger.go_values import (
    GoError,
    parse_bool,
    parse_duration,
    parse_float,
    parse_int,
    parse_rfc3339,
)
from exporters.jaeger.durations import format_duration
from exporters.jaeger.ids import InvalidTraceId, parse_hex_trace_id, parse_trace_id, span_id_text, trace_id_text

ONE = bytes(15) + b"\1"


@pytest.mark.parametrize(
    ("text", "raw"),
    [
        ("1", ONE),
        ("00000000000000000000000000000001", ONE),
        ("ABCDEF", bytes(13) + b"\xab\xcd\xef"),
        ("AAAAAAAAAAAAAAAAAAAAAQ==", ONE),
        ("AAAAAAAAAAAAAAAAAAAAAQ", ONE),
        ("AAAAAAAAAAE=", ONE),
        ("__________8=", bytes(8) + b"\xff" * 8),
        ("//////////8=", bytes(8) + b"\xff" * 8),
    ],
)
def test_trace_ids_are_read(text: str, raw: bytes) -> None:
    assert parse_trace_id(text) == raw


@pytest.mark.parametrize("text", ["", "x", "1" * 33, "zz", "0x1", " 1", "G" * 28])
def test_what_is_no_trace_id(text: str) -> None:
    with pytest.raises(InvalidTraceId):
        parse_trace_id(text)


def test_base64_is_not_read_where_jaeger_takes_hex_only() -> None:
    with pytest.raises(InvalidTraceId, match=r'^strconv\.ParseUint: parsing "AAAAAAAAAAE=": invalid syntax$'):
        parse_hex_trace_id("AAAAAAAAAAE=")


@pytest.mark.parametrize(
    ("text", "named"), [("", ""), ("12x", "12x"), ("A" * 8 + "x" * 16, "x" * 16), ("g" + "1" * 16, "g")]
)
def test_the_half_of_a_trace_id_that_is_no_number_is_named(text: str, named: str) -> None:
    with pytest.raises(InvalidTraceId, match=rf'^strconv\.ParseUint: parsing "{named}": invalid syntax$'):
        parse_hex_trace_id(text)


@given(st.binary(min_size=16, max_size=16))
def test_trace_ids_survive(raw: bytes) -> None:
    text = trace_id_text(raw)
    assert len(text) == (32 if any(raw[:8]) else 16)
    assert parse_trace_id(text) == raw


@pytest.mark.parametrize(
    ("raw", "text"),
    [(b"", "0" * 16), (b"\1", "0" * 15 + "1"), (b"\1" * 8, "01" * 8), (b"\2" + b"\1" * 8, "01" * 8)],
)
def test_span_ids_have_sixteen_digits(raw: bytes, text: str) -> None:
    assert span_id_text(raw) == text.rjust(16, "0")


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (999, "999ns"),
        (1_500, "1.5µs"),
        (50_000_150, "50.00015ms"),
        (1_000_000_000, "1s"),
        (61_500_000_000, "1m1.5s"),
        (3_600_000_000_000, "1h0m0s"),
        (-2_000_000, "-2ms"),
    ],
)
def test_durations_are_written_as_go_does(nanoseconds: int, text: str) -> None:
    assert format_duration(nanoseconds) == text
    assert parse_duration(text) == nanoseconds


@given(st.integers(-(2**63) + 1, 2**63 - 1))
def test_durations_survive(nanoseconds: int) -> None:
    assert parse_duration(format_duration(nanoseconds)) == nanoseconds


@pytest.mark.parametrize(
    ("text", "nanoseconds"), [("1h2m", 3_720 * 10**9), ("1.5ms", 1_500_000), (".5us", 500), ("1.µs", 1_000), ("0", 0)]
)
def test_durations_are_read(text: str, nanoseconds: int) -> None:
    assert parse_duration(text) == nanoseconds


@pytest.mark.parametrize(
    ("parse", "text", "message"),
    [
        (parse_duration, "20", 'time: missing unit in duration "20"'),
        (parse_duration, "ms", 'time: invalid duration "ms"'),
        (parse_duration, "1x", 'time: unknown unit "x" in duration "1x"'),
        (parse_duration, "", 'time: invalid duration ""'),
        (parse_duration, ".", 'time: invalid duration "."'),
        (parse_duration, "9999999999h", 'time: invalid duration "9999999999h"'),
        (parse_int, "1.5", 'strconv.ParseInt: parsing "1.5": invalid syntax'),
        (parse_int, "9" * 30, "value out of range"),
        (parse_int, "9" * 5_000, "value out of range"),
        (parse_float, "nan", 'strconv.ParseFloat: parsing "nan": invalid syntax'),
        (parse_bool, "yes", 'strconv.ParseBool: parsing "yes": invalid syntax'),
        (parse_rfc3339, "yesterday", 'parsing time "yesterday"'),
        (parse_rfc3339, "2025-13-01T00:00:00Z", "month must be in 1..12"),
    ],
)
def test_errors_are_gos(parse: Callable[[str], Any], text: str, message: str) -> None:
    with pytest.raises(GoError) as raised:
        parse(text)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01T00:00:00.123456789Z",
        "2026-01-01T02:00:00.123456789+02:00",
        "2026-01-01T02:00:00.123456789 02:00",
        "2025-12-31T19:00:00.1234567894-05:00",
    ],
)
def test_times_are_read_to_the_nanosecond(text: str) -> None:
    assert parse_rfc3339(text) == 1_767_225_600_123_456_789
