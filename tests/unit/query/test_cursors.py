"""Cursors come back as they were written, and nothing else is taken for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.query.parse import cursors
from collector.query.parse.cursors import (
    read_conversation_cursor,
    read_log_cursor,
    read_trace_cursor,
    read_transfer_cursor,
    write_conversation_cursor,
    write_log_cursor,
    write_trace_cursor,
    write_transfer_cursor,
)
from collector.query.parse.errors import ParseError
from collector.query.ranges import EVERYTHING
from storage.agents import ConversationCursor, TransferCursor
from storage.queries import LogCursor, TimeRange, TraceCursor

QUERY = [("service", "cart"), ("attr", "a=1"), ("attr", "b=2")]
times = st.integers(0, 2**64 - 1)


@given(times, st.integers(1, 2**64), times, st.binary(min_size=16, max_size=16))
def test_trace_cursor_round_trip(start: int, end: int, at: int, trace_id: bytes) -> None:
    written = write_trace_cursor(TraceCursor(at, trace_id), TimeRange(start, end), QUERY)
    assert read_trace_cursor(written, QUERY) == (TraceCursor(at, trace_id), TimeRange(start, end))


@given(times, st.integers(0, 2**32 - 1))
def test_log_cursor_round_trip(at: int, skip: int) -> None:
    written = write_log_cursor(LogCursor(at, skip), EVERYTHING, QUERY)
    assert read_log_cursor(written, QUERY) == (LogCursor(at, skip), EVERYTHING)


@given(times, st.text())
def test_round_trip_of_cursors_with_a_name(at: int, name: str) -> None:
    transfer = write_transfer_cursor(TransferCursor(at, name), EVERYTHING, QUERY)
    assert read_transfer_cursor(transfer, QUERY) == (TransferCursor(at, name), EVERYTHING)
    conversation = write_conversation_cursor(ConversationCursor(at, name), TimeRange(1, 2), QUERY)
    assert read_conversation_cursor(conversation, QUERY) == (ConversationCursor(at, name), TimeRange(1, 2))
    with pytest.raises(ParseError, match="this kind of search"):
        read_conversation_cursor(transfer, QUERY)


def test_a_name_that_is_no_text_is_refused() -> None:
    written = cursors._seal(cursors._NAMED.pack(cursors._TRANSFERS_TAG, 1, 2, 3) + b"\xff", QUERY)
    with pytest.raises(ParseError, match="not a cursor"):
        read_transfer_cursor(written, QUERY)


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
