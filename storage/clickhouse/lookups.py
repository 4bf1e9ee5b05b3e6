"""What a filter has to know of the small tables before it becomes SQL over items, asked in two queries at most.

Conditions on resources and scopes become lists of ids. An attribute key that no resource, scope, event or link ever had
drops that branch, and that is remembered by key: the usual search, of a value of the span's own attributes, then asks
nothing, and its index decides alone.
"""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from storage.clickhouse.bindings import Bindings, one_of_ids
from storage.clickhouse.engine import Engine
from storage.clickhouse.entries import MAP, entry_exists
from storage.clickhouse.fields import scope_sql
from storage.fields import SCOPE_TEXTS
from storage.queries import AllOf, AnyOf, Condition, FieldCondition, Filter, Level, Not, Op, Signal

_MAX_LISTED = 1_000
_MAX_KNOWN = 1_000
_ID_COLUMNS = {Level.RESOURCE: ("resources", "resource_id"), Level.SCOPE: ("scopes", "scope_id")}
_NESTED = (Level.EVENT, Level.LINK)
_ORDER = (Level.ITEM, Level.SCOPE, Level.RESOURCE, *_NESTED)


@dataclass(frozen=True, slots=True)
class Lookup:
    """One question: which resources (scopes) satisfy this, or has any event (link) this key?"""

    level: Level
    condition: Condition | FieldCondition


@dataclass(frozen=True, slots=True)
class Answers:
    """Ids per question; for events and links any id means yes."""

    ids: Mapping[Lookup, list[bytes]] = field(default_factory=dict)

    def context_sql(self, lookup: Lookup, bindings: Bindings) -> str:
        """Return SQL over an item: is its resource (scope) one of those found?"""
        found = self.ids[lookup]
        table, column = _ID_COLUMNS[lookup.level]
        if not found:
            return "0"
        if len(found) > _MAX_LISTED:
            return f"({column} IN (SELECT id FROM {table} WHERE {_context_condition(lookup, bindings)}))"
        return f"({one_of_ids(column, found)})"

    def has_key(self, lookup: Lookup) -> bool:
        """Tell whether events (links) ever had the key."""
        return bool(self.ids[lookup])


def levels(level: Level, signal: Signal) -> tuple[Level, ...]:
    """Return where a condition looks: ANY is everywhere the signal has."""
    wanted = _ORDER if level is Level.ANY else (level,)
    return tuple(found for found in wanted if signal is Signal.TRACES or found not in _NESTED)


class Lookups:
    """Asks, and remembers the answers until the small tables change. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[Lookup, list[bytes]] = {}
        self._version = 0
        self._lock = threading.Lock()

    def ask(self, part: Filter, signal: Signal) -> Answers:
        """Answer all questions that a filter raises."""
        wanted = list(dict.fromkeys(_lookups(part, signal)))
        if not self._engine.exclusive:
            return Answers(self._ask(wanted))
        keys = {lookup: key for lookup in wanted if (key := _of_key(lookup)) is not None}
        used = self._ask(list(dict.fromkeys(keys.values())))
        answered = {lookup: used[key] for lookup, key in keys.items() if lookup.level in _NESTED or not used[key]}
        return Answers(answered | self._ask([lookup for lookup in wanted if lookup not in answered]))

    def _ask(self, wanted: list[Lookup]) -> dict[Lookup, list[bytes]]:
        with self._lock:
            version = self._version
            found = {lookup: self._known[lookup] for lookup in wanted if lookup in self._known}
        missing = [lookup for lookup in wanted if lookup not in found]
        if missing:
            asked = self._query(missing)
            found |= asked
            with self._lock:
                # Answers from before a change must not outlive it; another process may change the tables unseen.
                if self._engine.exclusive and version == self._version:
                    self._remember(asked)
        return found

    def _remember(self, asked: Mapping[Lookup, list[bytes]]) -> None:
        self._known |= asked
        while len(self._known) > _MAX_KNOWN:
            del self._known[next(iter(self._known))]  # the oldest

    def forget(self) -> None:
        """Note that the small tables have changed."""
        with self._lock:
            self._version += 1
            self._known.clear()

    def _query(self, wanted: list[Lookup]) -> dict[Lookup, list[bytes]]:
        bindings = Bindings()
        selects = [_select(number, lookup, bindings) for number, lookup in enumerate(wanted)]
        rows = self._engine.query(" UNION ALL ".join(selects), bindings.parameters)
        found: dict[Lookup, list[bytes]] = {lookup: [] for lookup in wanted}
        for number, identifier in zip(rows["n"].to_pylist(), rows["id"].to_pylist(), strict=True):
            found[wanted[number]].append(identifier)
        return found


def _lookups(part: Filter, signal: Signal) -> Iterator[Lookup]:
    match part:
        case AllOf(parts) | AnyOf(parts):
            for inner in parts:
                yield from _lookups(inner, signal)
        case Not(inner):
            yield from _lookups(inner, signal)
        case FieldCondition():
            if part.field in SCOPE_TEXTS:
                yield Lookup(Level.SCOPE, part)
        case Condition():
            yield from (Lookup(level, part) for level in levels(part.level, signal) if level is not Level.ITEM)


def _of_key(lookup: Lookup) -> Lookup | None:
    """Return the question whether the key of a condition on attributes occurs at all: without it none can hold."""
    if isinstance(lookup.condition, FieldCondition):
        return None
    return Lookup(lookup.level, Condition(lookup.condition.key, Op.EXISTS))


def _select(number: int, lookup: Lookup, bindings: Bindings) -> str:
    if lookup.level in _NESTED and isinstance(lookup.condition, Condition):
        source = (
            "SELECT toFixedString('', 16) AS id FROM attribute_keys"
            f" WHERE signal = 'traces' AND level = '{lookup.level.value}'"
            f" AND key = {bindings.text(lookup.condition.key)} LIMIT 1"
        )
    else:
        table = _ID_COLUMNS[lookup.level][0]
        condition = _context_condition(lookup, bindings)
        source = f"SELECT DISTINCT id FROM {table} WHERE {condition} LIMIT {_MAX_LISTED + 1}"
    return f"SELECT toUInt32({number}) AS n, id FROM ({source})"


def _context_condition(lookup: Lookup, bindings: Bindings) -> str:
    if isinstance(lookup.condition, FieldCondition):
        return scope_sql(lookup.condition, bindings)
    return entry_exists(MAP, lookup.condition, bindings)
