"""Conditions on the item's own fields to SQL."""

from collections.abc import Callable

from storage.equality import parse_number
from storage.fields import NUMBERS, SCOPE_TEXTS, texts
from storage.postgres.bindings import Bindings
from storage.postgres.regexes import to_postgres
from storage.queries import FieldCondition, Op, Signal, SpanField

_NUMERIC = "'^[+-]?[0-9]+([.][0-9]*)?$'"

_TEXTS = texts("encode(parent_span_id, 'hex')")


def field_sql(condition: FieldCondition, signal: Signal, bindings: Bindings, scopes: Callable[[str], str]) -> str:
    """Return a boolean SQL expression; a field that the signal does not have never matches.

    `scopes(sql)` turns a condition on a row of `scopes` into one on the item.
    """
    if condition.field in SCOPE_TEXTS:
        return scopes(_text(SCOPE_TEXTS[condition.field], condition, bindings))
    if condition.field in _TEXTS[signal]:
        return _text(_TEXTS[signal][condition.field], condition, bindings)
    if condition.field in NUMBERS[signal]:
        return _number(NUMBERS[signal][condition.field], condition, bindings)
    if condition.field is SpanField.EVENT_NAME:
        inner = _text("n", condition, bindings)
        return f"(event_names IS NOT NULL AND EXISTS (SELECT FROM unnest(event_names) AS e(n) WHERE {inner}))"
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
    if number is None:
        return "false"
    compared = f"{column}::numeric {condition.op.value} {bindings.number(number)}"
    return f"(CASE WHEN {column} ~ {_NUMERIC} THEN {compared} ELSE false END)"


def _number(column: str, condition: FieldCondition, bindings: Bindings) -> str:
    match condition.op:
        case Op.EXISTS:
            return "true" if condition.field is SpanField.DURATION else f"({column} <> 0)"
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
