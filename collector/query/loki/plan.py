"""A log selection as a storage query, and what is left to do on the records it finds."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from collector.query.loki.labels import DETECTED_LEVEL, LEVEL, LEVEL_NAMES, SERVICE, SEVERITIES, UNKNOWN, label_name
from collector.query.loki.syntax import (
    Both,
    Either,
    LabelFilter,
    LineFilter,
    LogSelection,
    Matcher,
    NumberTest,
    Parse,
    Stage,
)
from collector.query.parse.errors import ParseError
from collector.query.parse.ids import parse_trace_id
from collector.query.parse.regexes import regex_matches
from storage.queries import (
    AllOf,
    AnyOf,
    Condition,
    FieldCondition,
    Filter,
    Level,
    LogQuery,
    Not,
    Op,
    Signal,
    SpanField,
    TimeRange,
)

_FIELDS = {
    "severity_text": SpanField.SEVERITY_TEXT,
    "event_name": SpanField.EVENT_NAME,
    "scope_name": SpanField.SCOPE_NAME,
}
_MAX_KEYS = 10_000


class KeyNames(Protocol):
    """The part of storage that knows attribute keys."""

    def attribute_keys(
        self, signal: Signal, level: Level = Level.ITEM, prefix: str = "", limit: int = 1000
    ) -> list[str]:
        """See `storage.api.TraceReader.attribute_keys`."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """`filter`, `service_name` and `trace_id` go to storage; `rest` is then run on every record found."""

    filter: Filter | None
    service_name: str | None
    trace_id: bytes | None
    rest: tuple[Stage, ...]

    @property
    def is_narrow(self) -> bool:
        """Tell whether storage is asked for anything but all records."""
        return (self.filter, self.service_name, self.trace_id) != (None, None, None)

    def query(self, time: TimeRange, limit: int, oldest_first: bool = False) -> LogQuery:
        """Return the storage query."""
        return LogQuery(
            time,
            trace_id=self.trace_id,
            service_name=self.service_name,
            filter=self.filter,
            limit=limit,
            oldest_first=oldest_first,
        )


def plan(selection: LogSelection, storage: KeyNames) -> Plan:
    """Return how a selection is answered."""
    compiler = _Compiler(storage)
    for matcher in selection.matchers:
        compiler.add(matcher, (Level.RESOURCE,))
    parsed = False
    for stage in selection.stages:
        parsed = parsed or isinstance(stage, Parse)
        compiler.add_stage(stage, parsed)
    found = compiler.filters
    return Plan(
        (AllOf(tuple(found)) if len(found) > 1 else found[0]) if found else None,
        compiler.service_name,
        compiler.trace_id,
        tuple(compiler.rest),
    )


class _Compiler:
    """Collects what storage can answer and what is left."""

    def __init__(self, storage: KeyNames) -> None:
        self._storage = storage
        self._known: dict[Level, list[str]] = {}
        self.filters: list[Filter] = []
        self.service_name: str | None = None
        self.trace_id: bytes | None = None
        self.rest: list[Stage] = []

    def add_stage(self, stage: Stage, parsed: bool) -> None:
        """Take a stage; `parsed` when labels were read from the line before it."""
        if isinstance(stage, LineFilter):
            self.filters.append(_line(stage))
            return
        condition = stage if isinstance(stage, (Matcher, Both, Either, NumberTest)) and not parsed else None
        if condition is None or not self.add(condition, (Level.RESOURCE, Level.ITEM)):
            self.rest.append(stage)

    def add(self, part: LabelFilter, levels: tuple[Level, ...]) -> bool:
        """Hand a condition to storage; False when storage cannot answer it."""
        if isinstance(part, Matcher) and part.operator == "=" and part.value:
            if part.name == SERVICE and self.service_name is None:
                self.service_name = part.value
                return True
            if part.name == "trace_id" and self.trace_id is None and levels != (Level.RESOURCE,):
                return self._add_trace(part.value)
        found = self._filter(part, levels)
        if found is not None:
            self.filters.append(found)
        return found is not None

    def _add_trace(self, value: str) -> bool:
        try:
            self.trace_id = parse_trace_id(value)
        except ParseError:
            self.filters.append(AnyOf(()))
        return True

    def _filter(self, part: LabelFilter, levels: tuple[Level, ...]) -> Filter | None:
        match part:
            case Both(parts) | Either(parts):
                found = [self._filter(inner, levels) for inner in parts]
                known = tuple(each for each in found if each is not None)
                if len(known) < len(found):
                    return None
                return AllOf(known) if isinstance(part, Both) else AnyOf(known)
            case Matcher(name) if name not in {"trace_id", "span_id"} or levels == (Level.RESOURCE,):
                return self._matcher(part, levels)
            case _:
                return None  # numbers in texts, and ids, are compared on the records themselves

    def _matcher(self, matcher: Matcher, levels: tuple[Level, ...]) -> Filter:
        if matcher.name in {LEVEL, DETECTED_LEVEL}:
            return _levels(name for name in LEVEL_NAMES if holds(matcher, name))
        if matcher.name == SERVICE:
            return _compared(matcher, lambda op, value: FieldCondition(SpanField.SERVICE, op, value))
        if matcher.name in _FIELDS and Level.ITEM in levels:
            field = _FIELDS[matcher.name]
            return _compared(matcher, lambda op, value: FieldCondition(field, op, value))
        places = [(key, level) for level in levels for key in self._keys(matcher.name, level)]
        return _compared(
            matcher, lambda op, value: AnyOf(tuple(Condition(key, op, value, level) for key, level in places))
        )

    def _keys(self, name: str, level: Level) -> list[str]:
        """Return the attribute keys that become a label; only those with an underscore can be several."""
        if "_" not in name:
            return [name]
        if level not in self._known:
            self._known[level] = self._storage.attribute_keys(Signal.LOGS, level, limit=_MAX_KEYS)
        return [key for key in self._known[level] if label_name(key) == name]


def holds(matcher: Matcher, text: str) -> bool:
    """Tell whether a label with this text (empty: no such label) satisfies the matcher."""
    if matcher.operator in {"=", "!="}:
        return (text == matcher.value) == (matcher.operator == "=")
    return regex_matches(_whole(matcher.value), text) == (matcher.operator == "=~")


def _compared(matcher: Matcher, condition: Callable[[Op, str], Filter]) -> Filter:
    """Return the matcher over a condition; an absent label counts as the empty text."""
    exists = condition(Op.EXISTS, "")
    if matcher.operator in {"=", "!="}:
        same = condition(Op.EQ, matcher.value) if matcher.value else Not(exists)
        return same if matcher.operator == "=" else Not(same)
    found = condition(Op.REGEX, _whole(matcher.value))
    if regex_matches(_whole(matcher.value), ""):
        found = AnyOf((found, Not(exists)))
    return found if matcher.operator == "=~" else Not(found)


def _whole(pattern: str) -> str:
    return f"^(?:{pattern})$"


def _levels(names: Iterable[str]) -> Filter:
    return AnyOf(tuple(_level(name) for name in names))


def _level(name: str) -> Filter:
    if name == UNKNOWN:
        return Not(AllOf((_severity(Op.GE, 1), _severity(Op.LE, 24))))
    first, last = SEVERITIES[name]
    return AllOf((_severity(Op.GE, first), _severity(Op.LE, last)))


def _severity(op: Op, number: int) -> Filter:
    return FieldCondition(SpanField.SEVERITY, op, str(number))


def _line(stage: LineFilter) -> Filter:
    op = Op.CONTAINS if stage.operator in {"|=", "!="} else Op.REGEX
    found = AnyOf(tuple(FieldCondition(SpanField.BODY, op, value) for value in stage.values))
    return Not(found) if stage.operator.startswith("!") else found
