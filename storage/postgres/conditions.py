"""Filters to SQL over one item's columns; user values are only ever bound.

A condition on a key first asks the small tables: which shapes have the key and where, which resources and scopes
satisfy it, whether any event or link ever had the key. What is left for the rows is cheap: an id and one value.
"""

from collections import defaultdict
from collections.abc import Sequence

from storage.postgres.bindings import Bindings
from storage.postgres.database import Database
from storage.postgres.entries import NUMBERS, entry_exists, text_predicate
from storage.postgres.fields import field_sql
from storage.queries import AllOf, AnyOf, Condition, FieldCondition, Filter, Level, Not, Op, Signal

_NESTED = (Level.EVENT, Level.LINK)
_ID_COLUMNS = {"resources": "resource_id", "scopes": "scope_id"}
# Ids (and groups of shapes) listed in a statement; beyond, the server looks them up itself.
MAX_LISTED = 1_000
MAX_GROUPS = 40


class Compiler:
    """Compiles filters for one signal."""

    def __init__(self, database: Database, signal: Signal, bindings: Bindings) -> None:
        self._database, self._signal, self._bindings = database, signal, bindings

    def sql(self, part: Filter) -> str:
        """Return a boolean SQL expression, never null; `false` when nothing can match."""
        match part:
            case AllOf(parts):
                return _joined(" AND ", [self.sql(inner) for inner in parts], "true", "false")
            case AnyOf(parts):
                return _joined(" OR ", [self.sql(inner) for inner in parts], "false", "true")
            case Not(inner):
                return f"(NOT {self.sql(inner)})"
            case FieldCondition():
                return field_sql(part, self._signal, self._bindings, lambda sql: self._context("scopes", sql))
            case Condition():
                return self._attribute(part)

    def _attribute(self, condition: Condition) -> str:
        parts = [self._at(level, condition) for level in _levels(condition.level, self._signal)]
        return _joined(" OR ", parts, "false", "true")

    def _at(self, level: Level, condition: Condition) -> str:
        if level is Level.ITEM:
            return self._item(condition)
        if level in _NESTED:
            return self._nested(level, condition)
        table = "resources" if level is Level.RESOURCE else "scopes"
        return self._context(table, entry_exists("keys", "texts", "types", condition, self._bindings))

    def _item(self, condition: Condition) -> str:
        asking = Bindings()
        key = asking.text(condition.key)
        rows = self._database.query(
            f"""
            SELECT DISTINCT s.id, e.n, e.t FROM shapes AS s
            CROSS JOIN LATERAL unnest(s.keys, s.types) WITH ORDINALITY AS e(k, t, n)
            WHERE {key} = ANY(s.keys) AND e.k = {key} LIMIT {MAX_LISTED + 1}
            """,
            asking.parameters,
        )
        if condition.op is Op.EXISTS:
            found = list({row[0] for row in rows})
            return "false" if not found else self._shape_exists(condition, len(rows), found)
        groups: dict[tuple[int, str | None], list[bytes]] = defaultdict(list)
        for shape, place, letter in rows:
            kind = letter.decode()
            groups[(place, kind if kind in NUMBERS else None)].append(shape)
        if len(rows) > MAX_LISTED or len(groups) > MAX_GROUPS:
            return self._looked_up(condition)
        parts = []
        for (place, kind), shapes in groups.items():
            predicate = text_predicate(f"attribute_values[{int(place)}]", condition, kind, self._bindings)
            parts.append(f"(attribute_shape = ANY({self._bindings.ids(shapes)}) AND {predicate})")
        return _joined(" OR ", [part for part in parts if not part.endswith("AND false)")], "false", "true")

    def _shape_exists(self, condition: Condition, count: int, found: Sequence[bytes]) -> str:
        if count > MAX_LISTED:
            key = self._bindings.text(condition.key)
            return f"(attribute_shape IN (SELECT id FROM shapes WHERE {key} = ANY(keys)))"
        return f"(attribute_shape = ANY({self._bindings.ids(found)}))"

    def _looked_up(self, condition: Condition) -> str:
        """Return SQL that finds the key's place for each row: for keys that occur in very many shapes."""
        parts = [f"(e.t = '{letter}' AND {self._value(condition, letter)})" for letter in NUMBERS]
        parts.append(f"(e.t NOT IN ('i', 'd') AND {self._value(condition, None)})")
        return (
            f"EXISTS (SELECT FROM shapes AS s CROSS JOIN LATERAL unnest(s.keys, s.types) WITH ORDINALITY AS e(k, t, n)"
            f" WHERE s.id = attribute_shape AND e.k = {self._bindings.text(condition.key)} AND ({' OR '.join(parts)}))"
        )

    def _value(self, condition: Condition, letter: str | None) -> str:
        return text_predicate("attribute_values[e.n]", condition, letter, self._bindings)

    def _nested(self, level: Level, condition: Condition) -> str:
        asking = Bindings()
        rows = self._database.query(
            f"SELECT FROM attribute_keys WHERE signal = {asking.text(self._signal.value)}"
            f" AND level = {asking.text(level.value)} AND key = {asking.text(condition.key)} LIMIT 1",
            asking.parameters,
        )
        if not rows:
            return "false"
        prefix = level.value
        names = (f"{prefix}_keys", f"{prefix}_values", f"{prefix}_types")
        return entry_exists(*names, condition, self._bindings)

    def _context(self, table: str, sql: str) -> str:
        found = self._database.query(
            f"SELECT DISTINCT id FROM {table} WHERE {sql} LIMIT {MAX_LISTED + 1}", self._bindings.parameters
        )
        if not found:
            return "false"
        column = _ID_COLUMNS[table]
        if len(found) > MAX_LISTED:
            return f"({column} IN (SELECT id FROM {table} WHERE {sql}))"
        return f"({column} = ANY({self._bindings.ids([row[0] for row in found])}))"


def _levels(level: Level, signal: Signal) -> tuple[Level, ...]:
    everywhere = (Level.ITEM, Level.SCOPE, Level.RESOURCE, Level.EVENT, Level.LINK)
    levels = everywhere if level is Level.ANY else (level,)
    return tuple(found for found in levels if signal is Signal.TRACES or found not in _NESTED)


def _joined(operator: str, parts: Sequence[str], neutral: str, absorbing: str) -> str:
    if absorbing in parts:
        return absorbing
    kept = [part for part in parts if part != neutral]
    return "(" + operator.join(kept) + ")" if kept else neutral
