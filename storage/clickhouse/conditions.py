"""Filters to SQL over one item's columns; user values are only ever bound."""

from dataclasses import dataclass

from storage.clickhouse.bindings import Bindings
from storage.clickhouse.entries import item_entry_exists, nested_exists
from storage.clickhouse.fields import field_sql
from storage.clickhouse.lookups import Answers, Lookup, Lookups, levels
from storage.fields import SCOPE_TEXTS
from storage.queries import AllOf, AnyOf, Condition, FieldCondition, Filter, Level, Not, Signal


def filter_sql(
    lookups: Lookups, part: Filter, signal: Signal, bindings: Bindings, service_name: str | None = None
) -> str:
    """Return a boolean SQL expression for a filter; asks the small tables where it has to.

    `service_name`: what the query demands of every match beside the filter, so that indexes can use it.
    """
    return _Compiler(signal, bindings, lookups.ask(part, signal), service_name).sql(part)


@dataclass(frozen=True, slots=True)
class _Compiler:
    signal: Signal
    bindings: Bindings
    answers: Answers
    service_name: str | None

    def sql(self, part: Filter) -> str:
        match part:
            case AllOf(parts):
                return "(" + " AND ".join([self.sql(inner) for inner in parts] or ["1"]) + ")"
            case AnyOf(parts):
                return "(" + " OR ".join([self.sql(inner) for inner in parts] or ["0"]) + ")"
            case Not(inner):
                return f"(NOT {self.sql(inner)})"
            case FieldCondition():
                if part.field in SCOPE_TEXTS:
                    return self.answers.context_sql(Lookup(Level.SCOPE, part), self.bindings)
                return field_sql(part, self.signal, self.bindings)
            case Condition():
                parts_at = [self._at(level, part) for level in levels(part.level, self.signal)]
                return "(" + (" OR ".join(sql for sql in parts_at if sql != "0") or "0") + ")"

    def _at(self, level: Level, condition: Condition) -> str:
        if level is Level.ITEM:
            return item_entry_exists(condition, self.service_name, self.bindings)
        lookup = Lookup(level, condition)
        if level in (Level.RESOURCE, Level.SCOPE):
            return self.answers.context_sql(lookup, self.bindings)
        if not self.answers.has_key(lookup):
            return "0"
        return nested_exists("events" if level is Level.EVENT else "links", condition, self.bindings)
