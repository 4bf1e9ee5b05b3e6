"""Storage filters evaluated on rows in memory: which spans of a found trace are the ones that matched.

The storage engine decides which traces are found; this repeats its rules (`storage.queries.Op`) for the few that are
shown.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from collector.query.parse.regexes import regex_matches
from exporters.columns import Attribute
from exporters.rows import SpanRow
from storage.attributes import DOUBLE, INT
from storage.equality import parse_id
from storage.fields import NO_PARENT, ZERO_IS_A_VALUE
from storage.queries import AllOf, AnyOf, Condition, FieldCondition, Filter, Level, Not, Op, SpanField

_NUMBERS = frozenset({INT, DOUBLE})
_ORDER: dict[Op, Callable[[float, float], bool]] = {
    Op.LT: lambda left, right: left < right,
    Op.LE: lambda left, right: left <= right,
    Op.GT: lambda left, right: left > right,
    Op.GE: lambda left, right: left >= right,
}


def matches(part: Filter, row: SpanRow) -> bool:
    """Tell whether a span satisfies the filter."""
    match part:
        case AllOf(parts):
            return all(matches(inner, row) for inner in parts)
        case AnyOf(parts):
            return any(matches(inner, row) for inner in parts)
        case Not(inner):
            return not matches(inner, row)
        case Condition():
            return any(_attribute(part, found) for found in attributes_at(part.level, row))
        case FieldCondition():
            return _field(part, row)


def attributes_at(level: Level, row: SpanRow) -> Iterator[Sequence[Attribute]]:
    """Yield the attribute lists of a span at a level: one for each of its events or links."""
    if level in {Level.ITEM, Level.ANY}:
        yield row.attributes
    if level in {Level.RESOURCE, Level.ANY}:
        yield row.resource.attributes
    if level in {Level.SCOPE, Level.ANY}:
        yield row.scope.attributes
    if level in {Level.EVENT, Level.ANY}:
        yield from (event.attributes for event in row.events)
    if level in {Level.LINK, Level.ANY}:
        yield from (link.attributes for link in row.links)


def _attribute(condition: Condition, attributes: Iterable[Attribute]) -> bool:
    return any(
        _compare(condition.op, _text(value), condition.value, letter in _NUMBERS)
        for key, letter, value in attributes
        if key == condition.key
    )


def _field(condition: FieldCondition, row: SpanRow) -> bool:
    if condition.field is SpanField.EVENT_NAME:
        return any(_text_field(condition, event.name) for event in row.events)
    if condition.field in _ID_FIELDS:
        return any(_id(condition, raw) for raw in _ID_FIELDS[condition.field](row))
    if condition.field in _NUMBER_FIELDS:
        return any(_number_field(condition, number) for number in _NUMBER_FIELDS[condition.field](row))
    return condition.field in _TEXT_FIELDS and _text_field(condition, _TEXT_FIELDS[condition.field](row))


def _number_field(condition: FieldCondition, number: int) -> bool:
    if condition.op is Op.EXISTS:
        return condition.field in ZERO_IS_A_VALUE or number != 0
    return _compare(condition.op, str(number), condition.value, is_number=True)


def _id(condition: FieldCondition, raw: bytes) -> bool:
    match condition.op:
        case Op.EXISTS if condition.field is SpanField.PARENT_SPAN_ID:
            return raw not in (b"", NO_PARENT)
        case Op.EXISTS:
            return bool(raw)
        case Op.EQ | Op.NE:
            return (raw == parse_id(condition.value)) == (condition.op is Op.EQ)
        case _:
            return _compare(condition.op, raw.hex(), condition.value, is_number=False)


def _text_field(condition: FieldCondition, text: str) -> bool:
    return bool(text) if condition.op is Op.EXISTS else _compare(condition.op, text, condition.value, is_number=False)


def _compare(op: Op, text: str, value: str, is_number: bool) -> bool:
    match op:
        case Op.EXISTS:
            return True
        case Op.EQ:
            return text == value or (is_number and _number(text) == _number(value))
        case Op.NE:
            return not _compare(Op.EQ, text, value, is_number)
        case Op.CONTAINS:
            return value in text
        case Op.REGEX:
            return regex_matches(value, text)
        case _:
            left, right = _number(text), _number(value)
            return is_number and left is not None and right is not None and _ORDER[op](left, right)


def _number(text: str) -> int | float | None:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return None


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "replace")


_TEXT_FIELDS: dict[SpanField, Callable[[SpanRow], str]] = {
    SpanField.NAME: lambda row: row.name,
    SpanField.SERVICE: lambda row: row.service_name,
    SpanField.STATUS_MESSAGE: lambda row: row.status_message,
    SpanField.SCOPE_NAME: lambda row: row.scope.name,
    SpanField.SCOPE_VERSION: lambda row: row.scope.version,
    SpanField.TRACE_STATE: lambda row: row.trace_state,
}
# A field of events or links has as many values as the span has of those.
_ID_FIELDS: dict[SpanField, Callable[[SpanRow], Iterable[bytes]]] = {
    SpanField.TRACE_ID: lambda row: (row.trace_id,),
    SpanField.SPAN_ID: lambda row: (row.span_id,),
    SpanField.PARENT_SPAN_ID: lambda row: (row.parent_span_id,),
    SpanField.LINK_TRACE_ID: lambda row: [link.trace_id for link in row.links],
    SpanField.LINK_SPAN_ID: lambda row: [link.span_id for link in row.links],
}
_NUMBER_FIELDS: dict[SpanField, Callable[[SpanRow], Iterable[int]]] = {
    SpanField.KIND: lambda row: (row.kind,),
    SpanField.STATUS: lambda row: (row.status_code,),
    SpanField.DURATION: lambda row: (max(row.duration_ns, 0),),
    SpanField.EVENT_TIME_SINCE_START: lambda row: [
        event.time_unix_nano - row.start_time_unix_nano for event in row.events
    ],
}
