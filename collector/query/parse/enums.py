"""Span kinds, status codes and severities by name or by OTLP number."""

from collector.query.parse.errors import ParseError
from collector.query.parse.numbers import is_count

KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")
STATUSES = ("unset", "ok", "error")
_MOST_DIGITS = 9  # fit into 32 bits
_SEVERITIES = ("trace", "debug", "info", "warn", "error", "fatal")
_SEVERITY_NAMES = {
    f"{name}{step or ''}": index * 4 + max(step, 1) for index, name in enumerate(_SEVERITIES) for step in (0, 2, 3, 4)
} | {"warning": 13, "critical": 21}


def parse_kind(text: str) -> int:
    """Return the OTLP number of a span kind."""
    return _parse(text, "SPAN_KIND_", {name: number for number, name in enumerate(KINDS)})


def parse_status(text: str) -> int:
    """Return the OTLP number of a status code."""
    return _parse(text, "STATUS_CODE_", {name: number for number, name in enumerate(STATUSES)})


def parse_severity(text: str) -> int:
    """Return the OTLP number (1 to 24) of a severity such as warn, ERROR2 or 13."""
    if is_count(text) and len(text) <= _MOST_DIGITS and int(text) <= 24:
        return int(text)
    found = _SEVERITY_NAMES.get(text.lower().removeprefix("severity_number_"))
    if found is None:
        raise ParseError(f"expected a number from 0 to 24 or one of {', '.join(_SEVERITIES)}")
    return found


def kind_name(number: int) -> str:
    """Return the lower-case name, or the number as text when OTLP has no name for it."""
    return KINDS[number] if 0 <= number < len(KINDS) else str(number)


def severity_name(number: int) -> str:
    """Return the short upper-case name (WARN, ERROR2), or empty when the number is not set or unknown."""
    if not 1 <= number <= 24:
        return ""
    level, step = divmod(number - 1, 4)
    return _SEVERITIES[level].upper() + (str(step + 1) if step else "")


def _parse(text: str, prefix: str, numbers: dict[str, int]) -> int:
    if is_count(text) and len(text) <= _MOST_DIGITS:
        return int(text)
    found = numbers.get(text.lower().removeprefix(prefix.lower()))
    if found is None:
        raise ParseError(f"expected one of {', '.join(numbers)}, or the OTLP number")
    return found
