"""Conditions on the item's own fields to SQL."""

from storage.clickhouse.bindings import Bindings
from storage.equality import parse_number
from storage.fields import NUMBERS, SCOPE_TEXTS, texts
from storage.queries import FieldCondition, Op, Signal, SpanField

_TEXTS = texts("lower(hex(parent_span_id))")


def scope_sql(condition: FieldCondition, bindings: Bindings) -> str:
    """Return a boolean SQL expression over the scopes table."""
    return _text(SCOPE_TEXTS[condition.field], condition, bindings)


def field_sql(condition: FieldCondition, signal: Signal, bindings: Bindings) -> str:
    """Return a boolean SQL expression over an item; a field that the signal does not have never matches."""
    if condition.field in _TEXTS[signal]:
        return _text(_TEXTS[signal][condition.field], condition, bindings)
    if condition.field in NUMBERS[signal]:
        return _number(NUMBERS[signal][condition.field], condition, bindings)
    if condition.field is SpanField.EVENT_NAME:
        return f"(notEmpty(events) AND arrayExists(n -> {_text('n', condition, bindings)}, events.name))"
    return "0"


def body_contains(text: str, bindings: Bindings) -> str:
    """Return SQL: does the body's text contain this, whatever its case? LIKE, because the n-gram index knows it."""
    pattern = "".join(f"\\{character}" if character in "\\%_" else character for character in text)
    return f"lowerUTF8(body) LIKE lowerUTF8({bindings.text(f'%{pattern}%')})"


def _text(column: str, condition: FieldCondition, bindings: Bindings) -> str:
    value = bindings.text(condition.value)
    match condition.op:
        case Op.EXISTS:
            return f"({column} != '')"
        case Op.CONTAINS:
            narrowed = f"{body_contains(condition.value, bindings)} AND " if condition.field is SpanField.BODY else ""
            return f"({narrowed}position({column}, {value}) > 0)"
        case Op.REGEX:
            return f"match({column}, {value})"
        case Op.EQ | Op.NE:
            return f"({column} {condition.op.value} {value})"
        case _:
            return _ordered_text(column, condition, bindings)


def _ordered_text(column: str, condition: FieldCondition, bindings: Bindings) -> str:
    number = parse_number(condition.value)
    if number is None:
        return "0"
    return f"ifNull(toFloat64OrNull({column}) {condition.op.value} {bindings.double(float(number))}, 0)"


def _number(column: str, condition: FieldCondition, bindings: Bindings) -> str:
    match condition.op:
        case Op.EXISTS:
            return "1" if condition.field is SpanField.DURATION else f"({column} != 0)"
        case Op.CONTAINS:
            return f"(position(toString({column}), {bindings.text(condition.value)}) > 0)"
        case Op.REGEX:
            return f"match(toString({column}), {bindings.text(condition.value)})"
        case _:
            number = parse_number(condition.value)
            if number is None:
                return "1" if condition.op is Op.NE else "0"
            bound = bindings.signed(number) if isinstance(number, int) else bindings.double(number)
            return f"({column} {condition.op.value} {bound})"
