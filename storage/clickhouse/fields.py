"""Conditions on the item's own fields to SQL."""

from storage.clickhouse.bindings import Bindings
from storage.equality import nearest_double, parse_number
from storage.fields import IDS, NO_PARENT, NUMBERS, SCOPE_TEXTS, TEXTS, ZERO_IS_A_VALUE, wanted_id
from storage.queries import FieldCondition, Op, Signal, SpanField

_LINK_IDS = {SpanField.LINK_TRACE_ID: "links.trace_id", SpanField.LINK_SPAN_ID: "links.span_id"}
# In 128 bits: the difference of two times of 64 bits has a sign.
_SINCE_START = "(toInt128(n) - start_time_unix_nano)"


def scope_sql(condition: FieldCondition, bindings: Bindings) -> str:
    """Return a boolean SQL expression over the scopes table."""
    return _text(SCOPE_TEXTS[condition.field], condition, bindings)


def field_sql(condition: FieldCondition, signal: Signal, bindings: Bindings) -> str:
    """Return a boolean SQL expression over an item; a field that the signal does not have never matches."""
    if condition.field in TEXTS[signal]:
        return _text(TEXTS[signal][condition.field], condition, bindings)
    if condition.field in NUMBERS[signal]:
        return _number(NUMBERS[signal][condition.field], condition, bindings)
    if condition.field in IDS[signal]:
        return _id(IDS[signal][condition.field], condition, signal, bindings)
    return _nested(condition, bindings) if signal is Signal.TRACES else "0"


def _nested(condition: FieldCondition, bindings: Bindings) -> str:
    """Return SQL over the events or links; each of these reads but one of their columns."""
    match condition.field:
        case SpanField.EVENT_NAME:
            return f"(notEmpty(events) AND arrayExists(n -> {_text('n', condition, bindings)}, events.name))"
        case SpanField.EVENT_TIME_SINCE_START:
            return f"arrayExists(n -> {_number(_SINCE_START, condition, bindings)}, events.time_unix_nano)"
        case SpanField.LINK_TRACE_ID | SpanField.LINK_SPAN_ID:
            found = _id("n", condition, Signal.TRACES, bindings)
            return "0" if found == "0" else f"arrayExists(n -> {found}, {_LINK_IDS[condition.field]})"
        case _:
            return "0"


def body_contains(text: str, bindings: Bindings) -> str:
    """Return SQL: does the body's text contain this, whatever its case? LIKE, because the n-gram index knows it."""
    pattern = "".join(f"\\{character}" if character in "\\%_" else character for character in text)
    return f"lowerUTF8(body) LIKE lowerUTF8({bindings.text(f'%{pattern}%')})"


def _id(column: str, condition: FieldCondition, signal: Signal, bindings: Bindings) -> str:
    match condition.op:
        case Op.EQ | Op.NE:
            wanted = wanted_id(condition, signal)
            if wanted is None:
                return "0" if condition.op is Op.EQ else "1"
            return f"({column} {condition.op.value} {bindings.text(wanted)})"
        case Op.EXISTS if condition.field is SpanField.PARENT_SPAN_ID:
            return f"({column} NOT IN ('', {bindings.text(NO_PARENT)}))"
        case Op.EXISTS:
            return f"(length({column}) > 0)"
        case Op.CONTAINS | Op.REGEX:
            return _text(f"lower(hex({column}))", condition, bindings)
        case _:
            return "0"


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
    return f"ifNull(toFloat64OrNull({column}) {condition.op.value} {bindings.double(nearest_double(number))}, 0)"


def _number(column: str, condition: FieldCondition, bindings: Bindings) -> str:
    match condition.op:
        case Op.EXISTS:
            return "1" if condition.field in ZERO_IS_A_VALUE else f"({column} != 0)"
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
