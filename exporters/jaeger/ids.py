"""Trace and span ids as Jaeger writes and reads them.

Source: Jaeger idl model/v1 ids.go; jaegerquery apiv3 TraceIDFromString (base64 since v2.20).
"""

import base64
import binascii
import re

_HEX = re.compile(r"[0-9a-fA-F]+", re.ASCII)
_BASE64_CHARS = 24  # 16 bytes with padding
_HIGH_ZERO = "0" * 16


class InvalidTraceId(ValueError):
    """The text is no trace id; the message is Jaeger's."""


def trace_id_text(raw: bytes) -> str:
    """Return lower-case hex: 16 digits when the high 64 bits are zero, else 32 (v1 JSON only)."""
    digits = raw.hex().rjust(32, "0")[-32:]
    return digits[16:] if digits.startswith(_HIGH_ZERO) else digits


def span_id_text(raw: bytes) -> str:
    """Return 16 lower-case hex digits; ids of another length are padded or cut on the left."""
    return raw.hex() if len(raw) == 8 else raw.hex().rjust(16, "0")[-16:]


def readable_id(raw: bytes, size: int) -> bytes:
    """Return an id that Jaeger's clients can read: of `size` bytes, padded or cut on the left, or none if it is zero.

    They refuse a whole message for one id of another length, and zeros name nothing.
    """
    if len(raw) != size and raw:
        raw = raw.rjust(size, b"\0")[-size:]
    return raw if raw.strip(b"\0") else b""


def parse_hex_trace_id(text: str) -> bytes:
    """Return the 16 bytes of 1 to 32 hex digits in any case, zeros padded on the left. Raises InvalidTraceId."""
    if len(text) > 32:
        raise InvalidTraceId(f"TraceID cannot be longer than 32 hex characters: {text}")
    for half in (text[:-16], text[-16:]) if len(text) > 16 else (text,):
        if not _HEX.fullmatch(half):
            raise InvalidTraceId(f'strconv.ParseUint: parsing "{half}": invalid syntax')
    return bytes.fromhex(text.rjust(32, "0"))


def parse_trace_id(text: str) -> bytes:
    """Return the 16 bytes of a hex or base64 trace id (standard or URL alphabet, 8 or 16 bytes, padded or not)."""
    try:
        return parse_hex_trace_id(text)
    except InvalidTraceId:
        raw = _from_base64(text)
        if raw is None:
            raise
    if len(raw) not in (8, 16):
        raise InvalidTraceId("invalid length for TraceID")
    return raw.rjust(16, b"\0")


def _from_base64(text: str) -> bytes | None:
    if not text or len(text) > _BASE64_CHARS:
        return None
    standard = text.replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(standard.rstrip("=") + "=" * (-len(standard.rstrip("=")) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
