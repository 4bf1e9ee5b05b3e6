"""Trace and span ids: hexadecimal in any case, short ones padded on the left with zeros."""

import re

from collector.query.parse.errors import ParseError

_HEX = re.compile(r"[0-9a-fA-F]+", re.ASCII)


def parse_trace_id(text: str) -> bytes:
    """Return the 16 bytes of a trace id of 1 to 32 hexadecimal digits."""
    return _parse(text, 32)


def parse_span_id(text: str) -> bytes:
    """Return the 8 bytes of a span id of 1 to 16 hexadecimal digits."""
    return _parse(text, 16)


def _parse(text: str, digits: int) -> bytes:
    if len(text) > digits or not _HEX.fullmatch(text):
        raise ParseError(f"expected 1 to {digits} hexadecimal digits")
    return bytes.fromhex(text.rjust(digits, "0"))
