"""Durations as Go writes them: "1.5ms", "1h2m3s", "300us"; days and weeks besides."""

import re
from fractions import Fraction

from collector.query.parse.errors import ParseError
from collector.query.parse.numbers import is_count, parse_count

_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
    "w": 604_800_000_000_000,
}
_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)([a-zµμ]+)", re.ASCII)
_LARGEST = 2**63 - 1
_MAX_CHARS = 64


def parse_nanoseconds(text: str) -> int:
    """Return a duration with its unit, or a bare number of nanoseconds."""
    return parse_count(text) if is_count(text) else parse_duration(text)


def parse_duration(text: str) -> int:
    """Return nanoseconds, zero or more; fractions of a nanosecond are cut off."""
    if text == "0":
        return 0
    if len(text) > _MAX_CHARS:
        raise ParseError("expected a duration such as 1.5ms or 1h30m")
    total = Fraction(0)
    at = 0
    while part := _PART.match(text, at):
        if part[2] not in _UNITS:
            raise ParseError(f"unknown unit {part[2]!r} in a duration; known are ns, us, ms, s, m, h, d and w")
        total += Fraction(part[1]) * _UNITS[part[2]]
        at = part.end()
    if at == 0 or at != len(text):
        hint = " (the unit is missing)" if text.replace(".", "", 1).isdigit() else ""
        raise ParseError(f"expected a duration such as 1.5ms or 1h30m{hint}")
    if total > _LARGEST:
        raise ParseError("the duration is longer than 292 years")
    return int(total)
