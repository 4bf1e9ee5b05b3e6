"""Jaeger's search tags as the storage port's filter.

Source: jaeger `internal/storage/v2/memory/tenant.go` (validSpan).
"""

from collections.abc import Callable, Mapping

from storage.queries import AllOf, AnyOf, Condition, FieldCondition, Filter, Level, Not, Op, SpanField

_KINDS = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
_STATUSES = {"ok": 1, "error": 2}
_RESOURCE_PREFIX = "resource."
_ERROR = FieldCondition(SpanField.STATUS, Op.EQ, "2")
_NOTHING = AnyOf(())
# What Go's strconv.ParseBool reads.
TRUE_TEXTS = frozenset(("1", "t", "T", "TRUE", "true", "True"))
FALSE_TEXTS = frozenset(("0", "f", "F", "FALSE", "false", "False"))


def kind_number(name: str) -> int:
    """Return the OTLP number of a span kind's name in any case; 0 for every other text."""
    return _KINDS.get(name.lower(), 0)


def kind_name(number: int) -> str:
    """Return the lower-case name of a span kind, empty when it is not specified or unknown."""
    return next((name for name, known in _KINDS.items() if known == number), "")


def tags_filter(tags: Mapping[str, str]) -> Filter | None:
    """Return the condition that one span meets all tags, or None without tags.

    `error`, `span.status`, `span.kind`, `scope.name` and `scope.version` ask for fields, `resource.x` for x in the
    resource alone; any other key is looked for in span, scope, resource, events and links. Values compare as texts.
    """
    if not tags:
        return None
    return AllOf(tuple(_condition(key, value) for key, value in tags.items()))


def _condition(key: str, value: str) -> Filter:
    if key in _FIELDS:
        return _FIELDS[key](value)
    if key.startswith(_RESOURCE_PREFIX):
        return Condition(key.removeprefix(_RESOURCE_PREFIX), Op.EQ, value, Level.RESOURCE)
    return Condition(key, Op.EQ, value, Level.ANY)


def _error(value: str) -> Filter:
    if value in TRUE_TEXTS:
        return _ERROR
    # "false" is every span that is no error, spans without a status included.
    return Not(_ERROR) if value in FALSE_TEXTS else _NOTHING


_FIELDS: dict[str, Callable[[str], Filter]] = {
    "error": _error,
    "span.status": lambda value: FieldCondition(SpanField.STATUS, Op.EQ, str(_STATUSES.get(value.lower(), 0))),
    "span.kind": lambda value: FieldCondition(SpanField.KIND, Op.EQ, str(kind_number(value))),
    "scope.name": lambda value: FieldCondition(SpanField.SCOPE_NAME, Op.EQ, value),
    "scope.version": lambda value: FieldCondition(SpanField.SCOPE_VERSION, Op.EQ, value),
}
