"""One attribute condition to SQL over keys, texts and the letters that say their types."""

import math

from storage.equality import equal_texts, nearest_double, parse_number
from storage.postgres.bindings import Bindings
from storage.postgres.regexes import to_postgres
from storage.queries import Condition, Op

NUMBERS = ("i", "d")
_INTEGER = "'^[+-]?[0-9]+$'"
_DOUBLE = "'^[+-]?([0-9]+[.]?[0-9]*([eE][+-]?[0-9]{1,3})?|inf)$'"


def text_predicate(value: str, condition: Condition, letter: str | None, bindings: Bindings) -> str:
    """Return SQL that compares a text (`value`: an SQL expression) whose type letter is known; None: any other."""
    match condition.op:
        case Op.EXISTS:
            return "true"
        case Op.EQ:
            return _equal(value, condition, letter, bindings)
        case Op.NE:
            return f"NOT {_equal(value, condition, letter, bindings)}"
        case Op.CONTAINS:
            return f"position({bindings.text(condition.value)} in {value}) > 0"
        case Op.REGEX:
            return f"{value} ~ {bindings.pattern(to_postgres(condition.value))}"
        case _:
            return _ordered(value, condition, letter, bindings)


def entry_exists(keys: str, texts: str, types: str, condition: Condition, bindings: Bindings) -> str:
    """Return SQL: does one entry of three parallel arrays satisfy the condition? False, never null, without entries."""
    key = bindings.text(condition.key)
    if condition.op is Op.EXISTS:
        return f"COALESCE({key} = ANY({keys}), false)"
    parts = [f"(t = '{letter}' AND {text_predicate('v', condition, letter, bindings)})" for letter in NUMBERS]
    parts.append(f"(t NOT IN ('i', 'd') AND {text_predicate('v', condition, None, bindings)})")
    return (
        f"(COALESCE({key} = ANY({keys}), false) AND EXISTS (SELECT FROM unnest({keys}, {texts}, {types})"
        f" AS e(k, v, t) WHERE k = {key} AND ({' OR '.join(parts)})))"
    )


def _equal(value: str, condition: Condition, letter: str | None, bindings: Bindings) -> str:
    texts = equal_texts(condition.value)
    if letter not in NUMBERS or len(texts) == 1:
        return f"({value} = {bindings.text(condition.value)})"
    return f"({value} = ANY({bindings.texts(texts)}))"


def _ordered(value: str, condition: Condition, letter: str | None, bindings: Bindings) -> str:
    number = parse_number(condition.value)
    if letter not in NUMBERS or number is None or (isinstance(number, float) and math.isnan(number)):
        return "false"
    sign = condition.op.value
    if letter == "i":  # integers stay exact: as doubles those beyond 2**53 would compare wrongly
        return f"(CASE WHEN {value} ~ {_INTEGER} THEN {value}::numeric {sign} {bindings.number(number)} ELSE false END)"
    bound = bindings.double(nearest_double(number))
    return f"(CASE WHEN {value} ~ {_DOUBLE} THEN {value}::float8 {sign} {bound} ELSE false END)"
