"""Filters to SQL over one item's columns; user values are only ever bound."""

from collections.abc import Callable
from dataclasses import dataclass

from storage.api import AllOf, AnyOf, Condition, FieldCondition, Filter, Level, Not, Signal
from storage.clickhouse.bindings import Bindings
from storage.clickhouse.entries import MapColumns, entry_exists, nested_exists
from storage.clickhouse.fields import field_sql

# Resource and scope conditions become ids of the small tables; None means "too many to list".
Resolver = Callable[[str, str, Bindings], str]

# Named subcolumns, because the engine reads a whole map for `mapKeys` and `mapValues` (measured: three times as slow).
_ITEM = MapColumns("attributes.keys", "attributes.values", "attribute_types", "mapValues(attributes)")


@dataclass(frozen=True, slots=True)
class Compiler:
    """Compiles filters for one signal; `resolve(table, sql, bindings)` answers an SQL condition on the context id."""

    signal: Signal
    bindings: Bindings
    resolve: Resolver

    def sql(self, part: Filter) -> str:
        """Return a boolean SQL expression."""
        match part:
            case AllOf(parts):
                return "(" + " AND ".join([self.sql(inner) for inner in parts] or ["1"]) + ")"
            case AnyOf(parts):
                return "(" + " OR ".join([self.sql(inner) for inner in parts] or ["0"]) + ")"
            case Not(inner):
                return f"(NOT {self.sql(inner)})"
            case FieldCondition():
                return field_sql(part, self.signal, self.bindings, self._context)
            case Condition():
                return self._attribute(part)

    def _attribute(self, condition: Condition) -> str:
        parts = [self._at(level, condition) for level in _levels(condition.level, self.signal)]
        kept = [part for part in parts if part != "0"]
        return "(" + (" OR ".join(kept) or "0") + ")"

    def _at(self, level: Level, condition: Condition) -> str:
        if level is Level.ITEM:
            return entry_exists(_ITEM, condition, self.bindings)
        if level is Level.RESOURCE:
            return self._context("resources", entry_exists(_ITEM, condition, self.bindings))
        if level is Level.SCOPE:
            return self._context("scopes", entry_exists(_ITEM, condition, self.bindings))
        return nested_exists("events" if level is Level.EVENT else "links", condition, self.bindings)

    def _context(self, table: str, sql: str) -> str:
        return self.resolve(table, sql, self.bindings)


def _levels(level: Level, signal: Signal) -> tuple[Level, ...]:
    everywhere = (Level.ITEM, Level.SCOPE, Level.RESOURCE, Level.EVENT, Level.LINK)
    levels = everywhere if level is Level.ANY else (level,)
    return tuple(found for found in levels if signal is Signal.TRACES or found not in (Level.EVENT, Level.LINK))
