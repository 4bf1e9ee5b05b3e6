"""Opaque page cursors: where the page ended, the time range it belongs to, and a digest over both and the query.

The range is kept because a relative or open range would otherwise move between pages, which skips or repeats items; as
its first and its last nanosecond, because an open range ends behind what 64 bits can say.
The digest refuses cursors that were cut, altered, or taken from another query; it is no secret.
"""

import base64
import binascii
import hashlib
import struct
from collections.abc import Sequence

from collector.query.parse.errors import ParseError
from storage.agents import ConversationCursor, TransferCursor
from storage.queries import LogCursor, TimeRange, TraceCursor

_TRACES = struct.Struct(">B Q Q Q 16s")
_LOGS = struct.Struct(">B Q Q Q I")
_NAMED = struct.Struct(">B Q Q Q")  # a text follows: what breaks ties in time
_TRACES_TAG, _LOGS_TAG, _TRANSFERS_TAG, _CONVERSATIONS_TAG = 1, 2, 3, 4
_DIGEST_BYTES = 6
_NO_CURSOR = "not a cursor; use next_cursor of the page before, unchanged"

Fingerprint = Sequence[tuple[str, str]]  # the query's parameters without cursor and limit


def write_trace_cursor(cursor: TraceCursor, time: TimeRange, query: Fingerprint) -> str:
    """Return the text of a trace cursor."""
    place = cursor.newest_match_unix_nano, cursor.trace_id
    return _seal(_TRACES.pack(_TRACES_TAG, time.start, time.end - 1, *place), query)


def read_trace_cursor(text: str, query: Fingerprint) -> tuple[TraceCursor, TimeRange]:
    """Return the cursor and the range of the first page."""
    _, start, last, newest, trace_id = _TRACES.unpack(_open(text, query, _TRACES.size, _TRACES_TAG))
    return TraceCursor(newest, trace_id), TimeRange(start, last + 1)


def write_log_cursor(cursor: LogCursor, time: TimeRange, query: Fingerprint) -> str:
    """Return the text of a log cursor."""
    return _seal(_LOGS.pack(_LOGS_TAG, time.start, time.end - 1, cursor.event_time_unix_nano, cursor.skip), query)


def read_log_cursor(text: str, query: Fingerprint) -> tuple[LogCursor, TimeRange]:
    """Return the cursor and the range of the first page."""
    _, start, last, at, skip = _LOGS.unpack(_open(text, query, _LOGS.size, _LOGS_TAG))
    return LogCursor(at, skip), TimeRange(start, last + 1)


def write_transfer_cursor(cursor: TransferCursor, time: TimeRange, query: Fingerprint) -> str:
    """Return the text of a transfer cursor."""
    return _write_named(_TRANSFERS_TAG, cursor.time_unix_nano, cursor.id, time, query)


def read_transfer_cursor(text: str, query: Fingerprint) -> tuple[TransferCursor, TimeRange]:
    """Return the cursor and the range of the first page."""
    at, name, time = _read_named(_TRANSFERS_TAG, text, query)
    return TransferCursor(at, name), time


def write_conversation_cursor(cursor: ConversationCursor, time: TimeRange, query: Fingerprint) -> str:
    """Return the text of a conversation cursor."""
    return _write_named(_CONVERSATIONS_TAG, cursor.end_time_unix_nano, cursor.conversation_id, time, query)


def read_conversation_cursor(text: str, query: Fingerprint) -> tuple[ConversationCursor, TimeRange]:
    """Return the cursor and the range of the first page."""
    at, name, time = _read_named(_CONVERSATIONS_TAG, text, query)
    return ConversationCursor(at, name), time


def _write_named(tag: int, at: int, name: str, time: TimeRange, query: Fingerprint) -> str:
    return _seal(_NAMED.pack(tag, time.start, time.end - 1, at) + name.encode("utf-8", "surrogatepass"), query)


def _read_named(tag: int, text: str, query: Fingerprint) -> tuple[int, str, TimeRange]:
    payload = _open(text, query, _NAMED.size, tag, named=True)
    _, start, last, at = _NAMED.unpack(payload[: _NAMED.size])
    try:
        name = payload[_NAMED.size :].decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise ParseError(_NO_CURSOR) from error
    return at, name, TimeRange(start, last + 1)


def _seal(payload: bytes, query: Fingerprint) -> str:
    return base64.urlsafe_b64encode(payload + _digest(payload, query)).rstrip(b"=").decode()


def _open(text: str, query: Fingerprint, size: int, tag: int, named: bool = False) -> bytes:
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise ParseError(_NO_CURSOR) from error
    payload, digest = (data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]) if named else (data[:size], data[size:])
    if len(payload) < size or payload[0] != tag:
        raise ParseError("not a cursor of this kind of search; use next_cursor of the page before, unchanged")
    if digest != _digest(payload, query):
        raise ParseError("the cursor belongs to another query; send the same parameters with every page")
    return payload


def _digest(payload: bytes, query: Fingerprint) -> bytes:
    state = hashlib.blake2b(payload, digest_size=_DIGEST_BYTES)
    for name, value in sorted(query):
        state.update(f"{len(name)}:{name}={len(value)}:{value};".encode("utf-8", "surrogatepass"))
    return state.digest()
