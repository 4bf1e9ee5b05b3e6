"""Points in time as callers write them, to and from integer nanoseconds since the epoch."""

import re
from datetime import UTC, datetime, timedelta, timezone

from collector.query.parse.durations import parse_duration
from collector.query.parse.errors import ParseError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST = 2**64 - 1
_DATE_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9})\d*)?)?)?(?:([Zz])|([+\- ])(\d\d):?(\d\d))?",
    re.ASCII,
)
_NUMBER = re.compile(r"(\d{1,20})(?:\.(\d{1,18}))?(ns|us|ms|s)?", re.ASCII)
_UNIT = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_EXPECTED = "expected RFC 3339 (2026-01-31T12:00:00Z), a Unix time in s, ms, us or ns, or a time ago such as -1h"


def parse_time(text: str, now_unix_nano: int) -> int:
    """Return nanoseconds since the epoch.

    A bare integer is read by its size: below 1e11 seconds, below 1e14 milliseconds, below 1e17 microseconds, else
    nanoseconds. "-1h" and "now-1h" count back from `now_unix_nano`. A date or time without a zone is UTC.
    """
    value = _relative(text, now_unix_nano)
    if value is None:
        value = _number(text)
    if value is None:
        value = _date_time(text)
    if value is None or not 0 <= value <= _LARGEST:
        raise ParseError(_EXPECTED)
    return value


def format_time(unix_nano: int) -> str:
    """Return RFC 3339 in UTC with all nine decimals."""
    seconds, nanos = divmod(unix_nano, 10**9)
    moment = _EPOCH + timedelta(seconds=seconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanos:09d}Z"


def _relative(text: str, now_unix_nano: int) -> int | None:
    if text == "now":
        return now_unix_nano
    if text.startswith(("now-", "-")):
        return max(0, now_unix_nano - parse_duration(text.partition("-")[2]))
    return None


def _number(text: str) -> int | None:
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    whole, fraction, unit = int(found[1]), found[2] or "", found[3]
    scale = _UNIT[unit] if unit else _scale_by_size(whole)
    return whole * scale + int(fraction or "0") * scale // int("1" + "0" * len(fraction))


def _scale_by_size(whole: int) -> int:
    if whole < 10**11:
        return 10**9
    if whole < 10**14:
        return 10**6
    return 10**3 if whole < 10**17 else 1


def _date_time(text: str) -> int | None:
    found = _DATE_TIME.fullmatch(text)
    if found is None:
        return None
    # An unescaped "+" in a URL arrives as a space: " 02:00" means "+02:00".
    offset = timedelta(hours=int(found[10] or 0), minutes=int(found[11] or 0)) * (-1 if found[9] == "-" else 1)
    fields = [int(found[index] or 0) for index in range(1, 7)]
    try:
        moment = datetime(*fields, tzinfo=timezone(offset))  # type: ignore[arg-type,misc]
    except ValueError as error:
        raise ParseError(f"{_EXPECTED}: {error}") from error
    return (moment - _EPOCH) // timedelta(seconds=1) * 10**9 + int((found[7] or "").ljust(9, "0"))
