"""One attribute condition to SQL over a map of texts and the letters that say their types."""

import math
from dataclasses import dataclass

from storage.clickhouse.bindings import Bindings
from storage.equality import equal_texts, parse_number
from storage.queries import Condition, Op

_NUMBER = "t IN ('i', 'd')"


@dataclass(frozen=True, slots=True)
class MapColumns:
    """A map's keys, values and type letters, in the same order."""

    keys: str
    values: str
    types: str


# Named subcolumns, because the engine reads a whole map for `mapKeys` and `mapValues` (measured: three times as slow).
MAP = MapColumns("attributes.keys", "attributes.values", "attribute_types")

# Both are spelled as in the indexes on them. A value is indexed together with an eighth of all services: a search
# within a service then reads an eighth as much, and one without looks for eight entries rather than one.
_SERVICE_SHARES = 8
_INDEXED_VALUES = f"arrayMap(v -> cityHash64(v, cityHash64(service_name) % {_SERVICE_SHARES}), mapValues(attributes))"
_NESTED_VALUES = (
    "arrayConcat(arrayFlatten(arrayMap(m -> mapValues(m), events.attributes)),"
    " arrayFlatten(arrayMap(m -> mapValues(m), links.attributes)))"
)


def entry_exists(columns: MapColumns, condition: Condition, bindings: Bindings) -> str:
    """Return SQL: does one entry satisfy the condition? A key may occur more than once; any entry counts."""
    key = bindings.text(condition.key)
    keys, values = columns.keys, columns.values
    if condition.op is Op.EXISTS:
        return f"has({keys}, {key})"
    predicate = _predicate(condition, bindings)
    letters = f", splitByString('', {columns.types})" if "t " in predicate else ""
    names = "k, v, t" if letters else "k, v"
    found = f"arrayExists(({names}) -> k = {key} AND {predicate}, {keys}, {values}{letters})"
    if condition.op is Op.EQ:
        return f"({_has_any(columns.values, condition, bindings)} AND {found})"
    return f"(has({keys}, {key}) AND {found})"


def item_entry_exists(condition: Condition, service_name: str | None, bindings: Bindings) -> str:
    """Return SQL over an item: does an entry of its own satisfy the condition? `service_name`: all matches have it."""
    found = entry_exists(MAP, condition, bindings)
    if condition.op is not Op.EQ:
        return found
    if service_name is None:
        shares = [str(share) for share in range(_SERVICE_SHARES)]
    else:
        shares = [f"cityHash64({bindings.text(service_name)}) % {_SERVICE_SHARES}"]
    texts = [bindings.text(text) for text in equal_texts(condition.value)]
    hashes = ", ".join(f"cityHash64({text}, {share})" for text in texts for share in shares)
    return f"(indexHint(hasAny({_INDEXED_VALUES}, [{hashes}])) AND {found})"


def nested_exists(column: str, condition: Condition, bindings: Bindings) -> str:
    """Return SQL: does one entry of one of the span's events (links) satisfy the condition?"""
    inner = entry_exists(MapColumns("mapKeys(m)", "mapValues(m)", "mt"), condition, bindings)
    found = f"arrayExists((m, mt) -> {inner}, {column}.attributes, {column}.attribute_types)"
    if condition.op is Op.EQ:
        return f"({_has_any(_NESTED_VALUES, condition, bindings)} AND {found})"
    return f"(notEmpty({column}) AND {found})"


def _has_any(values: str, condition: Condition, bindings: Bindings) -> str:
    texts = equal_texts(condition.value)
    if len(texts) == 1:
        return f"has({values}, {bindings.text(texts[0])})"
    return f"hasAny({values}, {bindings.texts(list(texts))})"


def _predicate(condition: Condition, bindings: Bindings) -> str:
    """Return SQL over k, v (the text) and t (the type letter)."""
    value = bindings.text(condition.value)
    match condition.op:
        case Op.EQ:
            return _equal(condition, bindings)
        case Op.NE:
            return f"NOT ({_equal(condition, bindings)})"
        case Op.CONTAINS:
            return f"position(v, {value}) > 0"
        case Op.REGEX:
            return f"match(v, {value})"
        case _:
            return _ordered(condition, bindings)


def _equal(condition: Condition, bindings: Bindings) -> str:
    texts = equal_texts(condition.value)
    same = f"v = {bindings.text(condition.value)}"
    if len(texts) == 1:
        return same
    return f"({same} OR ({_NUMBER} AND v IN ({', '.join(bindings.text(text) for text in texts)})))"


def _ordered(condition: Condition, bindings: Bindings) -> str:
    number = parse_number(condition.value)
    if number is None or (isinstance(number, float) and math.isnan(number)):
        return "0"
    bound = bindings.signed(number) if isinstance(number, int) else bindings.double(number)
    sign = condition.op.value
    # Integers stay integers: as doubles those beyond 2**53 would compare wrongly.
    return f"((t = 'i' AND toInt64OrZero(v) {sign} {bound}) OR (t = 'd' AND toFloat64OrZero(v) {sign} {bound}))"
