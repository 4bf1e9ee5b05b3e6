"""Opaque page cursors: where the page ended, the time range it belongs to, and a digest over both and the query.

The range is kept because a relative or open range would otherwise move between pages, which skips or repeats items.
The digest refuses cursors that were cut, altered, or taken from another query; it is no secret.
"""

import base64
import binascii
import hashlib
import struct
from collections.abc import Sequence

from collector.query.parse.errors import ParseError
from storage.api import LogCursor, TimeRange, TraceCursor

_TRACES = struct.Struct(">B Q Q Q 16s")
_LOGS = struct.Struct(">B Q Q Q I")
_TRACES_TAG, _LOGS_TAG = 1, 2
_DIGEST_BYTES = 6

Fingerprint = Sequence[tuple[str, str]]  # the query's parameters without cursor and limit


def write_trace_cursor(cursor: TraceCursor, time: TimeRange, query: Fingerprint) -> str:
    """Return the text of a trace cursor."""
    return _seal(_TRACES.pack(_TRACES_TAG, time.start, time.end, cursor.newest_match_unix_nano, cursor.trace_id), query)


def read_trace_cursor(text: str, query: Fingerprint) -> tuple[TraceCursor, TimeRange]:
    """Return the cursor and the range of the first page."""
    _, start, end, newest, trace_id = _TRACES.unpack(_open(text, query, _TRACES.size, _TRACES_TAG))
    return TraceCursor(newest, trace_id), TimeRange(start, end)


def write_log_cursor(cursor: LogCursor, time: TimeRange, query: Fingerprint) -> str:
    """Return the text of a log cursor."""
    return _seal(_LOGS.pack(_LOGS_TAG, time.start, time.end, cursor.event_time_unix_nano, cursor.skip), query)


def read_log_cursor(text: str, query: Fingerprint) -> tuple[LogCursor, TimeRange]:
    """Return the cursor and the range of the first page."""
    _, start, end, at, skip = _LOGS.unpack(_open(text, query, _LOGS.size, _LOGS_TAG))
    return LogCursor(at, skip), TimeRange(start, end)


def _seal(payload: bytes, query: Fingerprint) -> str:
    return base64.urlsafe_b64encode(payload + _digest(payload, query)).rstrip(b"=").decode()


def _open(text: str, query: Fingerprint, size: int, tag: int) -> bytes:
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise ParseError("not a cursor; use next_cursor of the page before, unchanged") from error
    payload, digest = data[:size], data[size:]
    if len(payload) != size or payload[0] != tag:
        raise ParseError("not a cursor of this kind of search; use next_cursor of the page before, unchanged")
    if digest != _digest(payload, query):
        raise ParseError("the cursor belongs to another query; send the same parameters with every page")
    return payload


def _digest(payload: bytes, query: Fingerprint) -> bytes:
    state = hashlib.blake2b(payload, digest_size=_DIGEST_BYTES)
    for name, value in sorted(query):
        state.update(f"{len(name)}:{name}={len(value)}:{value};".encode("utf-8", "surrogatepass"))
    return state.digest()
