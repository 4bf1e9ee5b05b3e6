"""Cursors come back as they were written, and nothing else is taken for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.query.parse.cursors import (
    read_log_cursor,
    read_trace_cursor,
    write_log_cursor,
    write_trace_cursor,
)
from collector.query.parse.errors import ParseError
from storage.queries import LogCursor, TimeRange, TraceCursor

QUERY = [("service", "cart"), ("attr", "a=1"), ("attr", "b=2")]
times = st.integers(0, 2**64 - 1)


@given(times, times, times, st.binary(min_size=16, max_size=16))
def test_trace_cursor_round_trip(start: int, end: int, at: int, trace_id: bytes) -> None:
    written = write_trace_cursor(TraceCursor(at, trace_id), TimeRange(start, end), QUERY)
    assert read_trace_cursor(written, QUERY) == (TraceCursor(at, trace_id), TimeRange(start, end))


@given(times, st.integers(0, 2**32 - 1))
def test_log_cursor_round_trip(at: int, skip: int) -> None:
    written = write_log_cursor(LogCursor(at, skip), TimeRange(1, 2), QUERY)
    assert read_log_cursor(written, QUERY) == (LogCursor(at, skip), TimeRange(1, 2))


def test_cursor_of_another_query_is_refused() -> None:
    written = write_trace_cursor(TraceCursor(5, bytes(16)), TimeRange(1, 2), QUERY)
    assert read_trace_cursor(written, QUERY[::-1])
    with pytest.raises(ParseError, match="another query"):
        read_trace_cursor(written, [("service", "shop")])
    with pytest.raises(ParseError):
        read_log_cursor(written, QUERY)


@given(st.text(max_size=80))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        read_trace_cursor(text, QUERY)
