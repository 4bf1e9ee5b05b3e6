"""One condition: which attribute or field, compared how, with what value."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from collector.query.parse.durations import parse_nanoseconds
from collector.query.parse.enums import parse_kind, parse_severity, parse_status
from collector.query.parse.errors import ParseError
from collector.query.parse.ids import parse_span_id, parse_trace_id
from collector.query.parse.regexes import parse_regex
from storage.queries import Condition, FieldCondition, Level, Op, Signal, SpanField

OPERATORS = {
    "=": Op.EQ,
    "==": Op.EQ,
    "!=": Op.NE,
    ">": Op.GT,
    ">=": Op.GE,
    "<": Op.LT,
    "<=": Op.LE,
    "=~": Op.REGEX,
    "contains": Op.CONTAINS,
    "matches": Op.REGEX,
}
_ORDERING = frozenset({Op.GT, Op.GE, Op.LT, Op.LE})
_FIELD_PREFIXES = frozenset({"span", "log", "event", "link", "scope"})

_LEVELS = {
    Signal.TRACES: {
        "span": Level.ITEM,
        "resource": Level.RESOURCE,
        "scope": Level.SCOPE,
        "event": Level.EVENT,
        "link": Level.LINK,
    },
    Signal.LOGS: {"log": Level.ITEM, "resource": Level.RESOURCE, "scope": Level.SCOPE},
}

_Read = Callable[[str], str]


def _as_is(text: str) -> str:
    return text


def _duration(text: str) -> str:
    return str(parse_nanoseconds(text))


def _span_id(text: str) -> str:
    return parse_span_id(text).hex()


def _trace_id(text: str) -> str:
    return parse_trace_id(text).hex()


def _number_of(parse: Callable[[str], int]) -> _Read:
    return lambda text: str(parse(text))


_SHARED_FIELDS: dict[str, tuple[SpanField, _Read]] = {
    "scope:name": (SpanField.SCOPE_NAME, _as_is),
    "scope:version": (SpanField.SCOPE_VERSION, _as_is),
}
FIELDS: dict[Signal, dict[str, tuple[SpanField, _Read]]] = {
    Signal.TRACES: {
        "span:name": (SpanField.NAME, _as_is),
        "span:service": (SpanField.SERVICE, _as_is),
        "span:kind": (SpanField.KIND, _number_of(parse_kind)),
        "span:status": (SpanField.STATUS, _number_of(parse_status)),
        "span:status_message": (SpanField.STATUS_MESSAGE, _as_is),
        "span:duration": (SpanField.DURATION, _duration),
        "span:trace_state": (SpanField.TRACE_STATE, _as_is),
        "span:id": (SpanField.SPAN_ID, _span_id),
        "span:parent_id": (SpanField.PARENT_SPAN_ID, _span_id),
        "event:name": (SpanField.EVENT_NAME, _as_is),
        "event:time_since_start": (SpanField.EVENT_TIME_SINCE_START, _duration),
        "link:trace_id": (SpanField.LINK_TRACE_ID, _trace_id),
        "link:span_id": (SpanField.LINK_SPAN_ID, _span_id),
        **_SHARED_FIELDS,
    },
    Signal.LOGS: {
        "log:service": (SpanField.SERVICE, _as_is),
        "log:severity": (SpanField.SEVERITY, _number_of(parse_severity)),
        "log:severity_text": (SpanField.SEVERITY_TEXT, _as_is),
        "log:body": (SpanField.BODY, _as_is),
        "log:event_name": (SpanField.EVENT_NAME, _as_is),
        **_SHARED_FIELDS,
    },
}


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute to compare."""

    key: str
    level: Level = Level.ANY


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the item itself to compare, and how its values are written."""

    field: SpanField
    read: Callable[[str], str]


def named(signal: Signal, key: str) -> Attribute | Field:
    """Return what a written key names: `resource.host.name`, `span:duration`, or a key on any level.

    Raises: ParseError without a position when no such field exists or the key is empty.
    """
    if key in FIELDS[signal]:
        return Field(*FIELDS[signal][key])
    if key.partition(":")[0] in _FIELD_PREFIXES and ":" in key:
        raise ParseError(f"unknown field {key!r}; known are {', '.join(sorted(FIELDS[signal]))}")
    prefix, dot, rest = key.partition(".")
    found = level(signal, prefix) if dot else None
    if not key or (found and not rest):
        raise ParseError("the attribute key is empty")
    return Attribute(rest, found) if found else Attribute(key)


def level(signal: Signal, prefix: str) -> Level | None:
    """Return the level that a prefix such as "resource" names for this signal."""
    return _LEVELS[signal].get(prefix)


def compare(target: Attribute | Field, op: Op, value: str) -> Condition | FieldCondition:
    """Build the condition; raise ParseError without a position when the value does not fit."""
    if op is Op.REGEX:
        parse_regex(value)
    if isinstance(target, Field):
        typed = op not in {Op.EXISTS, Op.CONTAINS, Op.REGEX}
        return FieldCondition(target.field, op, target.read(value) if typed else value)
    if op in _ORDERING:
        _check_number(value)
    return Condition(target.key, op, value, target.level)


def parse_attribute(signal: Signal, text: str) -> Condition | FieldCondition:
    """Read the `attr` parameter: key, operator, value; the value is everything behind the operator, as it is.

    A key alone asks whether the attribute exists.
    """
    key, op, value = text.strip(), Op.EXISTS, ""
    at = next((index for index, character in enumerate(text) if character in "=!<>"), None)
    words = text.split(None, 2)
    if len(words) == 3 and words[1].lower() in {"contains", "matches"} and (at is None or at > len(words[0])):
        return compare(named(signal, words[0]), OPERATORS[words[1].lower()], words[2])
    if at is not None:
        sign = next((sign for sign in (text[at : at + 2], text[at]) if sign in OPERATORS), None)
        if sign is None:
            raise ParseError("expected =, !=, >, >=, <, <= or =~", at)
        key, op, value = text[:at].strip(), OPERATORS[sign], text[at + len(sign) :].strip()
    if not key:
        raise ParseError("expected an attribute key, such as http.route=/cart", 0)
    return compare(named(signal, key), op, value)


def _check_number(value: str) -> None:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise ParseError("expected a number to compare with")
