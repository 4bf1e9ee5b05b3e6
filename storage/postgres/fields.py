"""Conditions on the item's own fields to SQL."""

import math
from collections.abc import Callable

from storage.equality import parse_number
from storage.fields import IDS, NO_PARENT, NUMBERS, SCOPE_TEXTS, TEXTS, ZERO_IS_A_VALUE, wanted_id
from storage.postgres.bindings import Bindings
from storage.postgres.regexes import to_postgres
from storage.queries import FieldCondition, Op, Signal, SpanField

_NUMERIC = "'^[+-]?(([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]{1,3})?|inf)$'"
_NESTED = {
    SpanField.EVENT_NAME: "event_names",
    SpanField.EVENT_TIME_SINCE_START: "event_times",
    SpanField.LINK_TRACE_ID: "link_trace_ids",
    SpanField.LINK_SPAN_ID: "link_span_ids",
}
# The difference of two times of 64 bits needs one more.
_SINCE_START = "(n::numeric - start_time_unix_nano)"


def field_sql(condition: FieldCondition, signal: Signal, bindings: Bindings, scopes: Callable[[str], str]) -> str:
    """Return a boolean SQL expression; a field that the signal does not have never matches.

    `scopes(sql)` turns a condition on a row of `scopes` into one on the item.
    """
    if condition.field in SCOPE_TEXTS:
        return scopes(_text(SCOPE_TEXTS[condition.field], condition, bindings))
    if condition.field in TEXTS[signal]:
        return _text(TEXTS[signal][condition.field], condition, bindings)
    if condition.field in NUMBERS[signal]:
        return _number(NUMBERS[signal][condition.field], condition, bindings)
    if condition.field in IDS[signal]:
        return _id(IDS[signal][condition.field], condition, signal, bindings)
    return _nested(condition, bindings) if signal is Signal.TRACES and condition.field in _NESTED else "false"


def _nested(condition: FieldCondition, bindings: Bindings) -> str:
    """Return SQL over the events or links; most spans have none, and store nothing for them."""
    match condition.field:
        case SpanField.EVENT_NAME:
            inner = _text("n", condition, bindings)
        case SpanField.EVENT_TIME_SINCE_START:
            inner = _number(_SINCE_START, condition, bindings)
        case _:
            inner = _id("n", condition, Signal.TRACES, bindings)
    if inner == "false":
        return inner
    column = _NESTED[condition.field]
    return f"({column} IS NOT NULL AND EXISTS (SELECT FROM unnest({column}) AS e(n) WHERE {inner}))"


def _id(column: str, condition: FieldCondition, signal: Signal, bindings: Bindings) -> str:
    match condition.op:
        case Op.EQ | Op.NE:
            wanted = wanted_id(condition, signal)
            if wanted is None:
                return "false" if condition.op is Op.EQ else "true"
            return f"({column} {condition.op.value} {bindings.raw(wanted)})"
        case Op.EXISTS if condition.field is SpanField.PARENT_SPAN_ID:
            return f"({column} NOT IN ('', {bindings.raw(NO_PARENT)}))"
        case Op.EXISTS:
            return f"({column} <> '')"
        case Op.CONTAINS | Op.REGEX:
            return _text(f"encode({column}, 'hex')", condition, bindings)
        case _:
            return "false"


def _text(column: str, condition: FieldCondition, bindings: Bindings) -> str:
    match condition.op:
        case Op.EXISTS:
            return f"({column} <> '')"
        case Op.CONTAINS:
            return f"(position({bindings.text(condition.value)} in {column}) > 0)"
        case Op.REGEX:
            return f"({column} ~ {bindings.pattern(to_postgres(condition.value))})"
        case Op.EQ | Op.NE:
            return f"({column} {condition.op.value} {bindings.text(condition.value)})"
        case _:
            return _ordered_text(column, condition, bindings)


def _ordered_text(column: str, condition: FieldCondition, bindings: Bindings) -> str:
    number = parse_number(condition.value)
    if number is None or (isinstance(number, float) and math.isnan(number)):
        return "false"
    compared = f"{column}::numeric {condition.op.value} {bindings.number(number)}"
    return f"(CASE WHEN {column} ~ {_NUMERIC} THEN {compared} ELSE false END)"


def _number(column: str, condition: FieldCondition, bindings: Bindings) -> str:
    match condition.op:
        case Op.EXISTS:
            return "true" if condition.field in ZERO_IS_A_VALUE else f"({column} <> 0)"
        case Op.CONTAINS:
            return f"(position({bindings.text(condition.value)} in ({column})::text) > 0)"
        case Op.REGEX:
            return f"(({column})::text ~ {bindings.pattern(to_postgres(condition.value))})"
        case _:
            number = parse_number(condition.value)
            if number is None:
                return "true" if condition.op is Op.NE else "false"
            return f"({column} {condition.op.value} {_bound(number, bindings)})"


def _bound(number: int | float, bindings: Bindings) -> str:
    return bindings.integer(number) if isinstance(number, int) and abs(number) < 2**63 else bindings.number(number)
