"""Ids, durations, times and names as callers write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.query.parse.durations import parse_duration, parse_nanoseconds
from collector.query.parse.enums import kind_name, parse_kind, parse_severity, parse_status, severity_name
from collector.query.parse.errors import ParseError
from collector.query.parse.ids import parse_span_id, parse_trace_id
from collector.query.parse.times import format_time, parse_time

NOW = 1_800_000_000_123_456_789


def test_short_ids_are_padded_and_case_does_not_matter() -> None:
    assert parse_trace_id("A1") == bytes(15) + b"\xa1"
    assert parse_trace_id("0" * 31 + "f") == bytes(15) + b"\x0f"
    assert parse_span_id("aB") == bytes(7) + b"\xab"


@pytest.mark.parametrize("text", ["", "xyz", "0" * 33, "a b", "٣", "-1", "0x1"])
def test_bad_ids(text: str) -> None:
    with pytest.raises(ParseError):
        parse_trace_id(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("1.5ms", 1_500_000),
        ("1h2m3s", 3_723_000_000_000),
        ("300us", 300_000),
        ("300µs", 300_000),
        (".5s", 500_000_000),
        ("1.s", 1_000_000_000),
        ("0.0000000019s", 1),
        ("7d", 7 * 86_400 * 10**9),
        ("9223372036854775807ns", 2**63 - 1),
    ],
)
def test_durations(text: str, expected: int) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize("text", ["", "20", "1.5", "ms", "1x", "-1s", "1s 2s", "9223372036854775808ns", "1" * 65 + "s"])
def test_bad_durations(text: str) -> None:
    with pytest.raises(ParseError):
        parse_duration(text)


def test_a_bare_number_is_nanoseconds() -> None:
    assert [parse_nanoseconds(text) for text in ("0", "007", "1ms")] == [0, 7, 1_000_000]
    for text in ("²", "٣", "-1", "1e3", "9" * 21, "9" * 5000):  # Python takes the first for a digit, not for a number
        with pytest.raises(ParseError):
            parse_nanoseconds(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-01-31T12:00:00.123456789Z", 1_769_860_800_123_456_789),
        ("2026-01-31t12:00:00z", 1_769_860_800_000_000_000),
        ("2026-01-31T14:00:00+02:00", 1_769_860_800_000_000_000),
        ("2026-01-31T14:00:00 02:00", 1_769_860_800_000_000_000),
        ("2026-01-31T10:00-0200", 1_769_860_800_000_000_000),
        ("2026-01-31", 1_769_817_600_000_000_000),
        ("1769860800", 1_769_860_800_000_000_000),
        ("1769860800.000000001", 1_769_860_800_000_000_001),
        ("1769860800123", 1_769_860_800_123_000_000),
        ("1769860800123456", 1_769_860_800_123_456_000),
        ("1769860800123456789", 1_769_860_800_123_456_789),
        ("5ns", 5),
        ("7s", 7_000_000_000),
        ("now", NOW),
        ("-1h", NOW - 3_600 * 10**9),
        ("now-90s", NOW - 90 * 10**9),
        ("18446744073709551615", 2**64 - 1),
    ],
)
def test_times(text: str, expected: int) -> None:
    assert parse_time(text, NOW) == expected


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-13-01", "2026-01-01T25:00:00Z", "1969-12-31", "-5", "1e9", "18446744073709551616"]
)
def test_bad_times(text: str) -> None:
    with pytest.raises(ParseError):
        parse_time(text, NOW)


@given(st.integers(0, 2**64 - 1))
def test_written_times_read_back(unix_nano: int) -> None:
    assert parse_time(format_time(unix_nano), NOW) == unix_nano


def test_names_and_numbers() -> None:
    assert [parse_kind(text) for text in ("server", "SERVER", "SPAN_KIND_SERVER", "2")] == [2, 2, 2, 2]
    assert [parse_status(text) for text in ("error", "STATUS_CODE_ERROR", "2", "unset")] == [2, 2, 2, 0]
    assert [parse_severity(text) for text in ("warn", "WARNING", "13", "Warn2", "fatal", "FATAL4")] == [
        13,
        13,
        13,
        14,
        21,
        24,
    ]
    assert [severity_name(number) for number in (0, 1, 9, 12, 17, 24, 25)] == [
        "",
        "TRACE",
        "INFO",
        "INFO4",
        "ERROR",
        "FATAL4",
        "",
    ]
    assert (kind_name(3), kind_name(77)) == ("client", "77")
    for parse, text in (
        (parse_kind, "master"),
        (parse_status, ""),
        (parse_severity, "25"),
        (parse_severity, "9" * 5000),
    ):
        with pytest.raises(ParseError):
            parse(text)
