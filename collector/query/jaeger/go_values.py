"""Numbers, booleans, durations and times as Go's standard library reads them, with its error texts.

Jaeger's clients see these texts, and some show them.
"""

import re
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction

_UNITS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_BOOLS = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
_PART = re.compile(r"([0-9]*)(?:\.([0-9]*))?([^0-9.]*)", re.ASCII)
_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_FLOAT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:(Z)|([+\- ])(\d\d):(\d\d))", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INT64 = 2**63
_LONGEST_TEXT = 100


class GoError(ValueError):
    """The text cannot be read; the message is Go's."""


def parse_int(text: str, bits: int = 64, function: str = "ParseInt") -> int:
    """Read a decimal integer of so many bits (strconv.ParseInt, or the function whose name errors should have)."""
    if not _INTEGER.fullmatch(text):
        raise GoError(f'strconv.{function}: parsing "{_shown(text)}": invalid syntax')
    value = int(text) if len(text) <= _LONGEST_TEXT else _INT64
    if not -(1 << (bits - 1)) <= value < 1 << (bits - 1):
        raise GoError(f'strconv.{function}: parsing "{_shown(text)}": value out of range')
    return value


def parse_float(text: str) -> float:
    """Read a finite decimal number (strconv.ParseFloat)."""
    if not _FLOAT.fullmatch(text) or len(text) > _LONGEST_TEXT:
        raise GoError(f'strconv.ParseFloat: parsing "{_shown(text)}": invalid syntax')
    return float(text)


def parse_bool(text: str) -> bool:
    """Read a boolean (strconv.ParseBool)."""
    if text not in _BOOLS:
        raise GoError(f'strconv.ParseBool: parsing "{_shown(text)}": invalid syntax')
    return _BOOLS[text]


def parse_duration(text: str) -> int:
    """Read a duration such as 1.5ms or 1h2m as nanoseconds (time.ParseDuration)."""
    quoted = f'"{_shown(text)}"'
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if rest == "0":
        return 0
    if not rest or len(rest) > _LONGEST_TEXT:
        raise GoError(f"time: invalid duration {quoted}")
    total = Fraction(0)
    at = 0
    while at < len(rest):
        total += _duration_part(rest, at, quoted)
        at = _PART.match(rest, at).end()  # type: ignore[union-attr]  # it matched just now
    if total >= _INT64:
        raise GoError(f"time: invalid duration {quoted}")
    return sign * int(total)


def _duration_part(rest: str, at: int, quoted: str) -> Fraction:
    part = _PART.match(rest, at)
    if part is None or not (part[1] or part[2]):
        raise GoError(f"time: invalid duration {quoted}")
    if not part[3]:
        raise GoError(f"time: missing unit in duration {quoted}")
    if part[3] not in _UNITS:
        raise GoError(f'time: unknown unit "{part[3]}" in duration {quoted}')
    return Fraction(f"{part[1] or '0'}.{part[2] or '0'}") * _UNITS[part[3]]


def parse_rfc3339(text: str) -> int:
    """Read an RFC 3339 time as nanoseconds since the epoch (time.Parse with RFC3339Nano).

    A space stands for the plus sign of the offset: what an unescaped `+` in a URL becomes (Grafana sends it so).
    """
    found = _RFC3339.fullmatch(text)
    if found is None:
        raise GoError(f'parsing time "{_shown(text)}" as "2006-01-02T15:04:05.999999999Z07:00": cannot parse it')
    offset = timedelta(hours=int(found[10] or 0), minutes=int(found[11] or 0)) * (-1 if found[9] == "-" else 1)
    try:
        moment = datetime(*(int(found[index]) for index in range(1, 7)), tzinfo=timezone(offset))  # type: ignore[arg-type,misc]
    except ValueError as error:
        raise GoError(f'parsing time "{_shown(text)}": {error}') from error
    return (moment - _EPOCH) // timedelta(seconds=1) * 10**9 + int((found[7] or "").ljust(9, "0")[:9])


def _shown(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"
