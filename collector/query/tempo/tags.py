"""Tags and tag values: what TraceQL can ask for."""

from collections.abc import Iterator
from typing import Any

from collector.query.parse.enums import KINDS, STATUSES
from collector.query.parse.errors import ParseError
from collector.query.tempo.fields import INTRINSICS, SCOPE_LEVELS, SERVICE_NAME, Attribute, Intrinsic, TraceFact, target
from collector.query.tempo.traceql import parse_traceql
from storage.api import Storage
from storage.attributes import BOOL, DOUBLE, INT, STRING
from storage.queries import AllOf, FieldCondition, Filter, Level, Op, Signal, SpanField

_TYPES = {STRING: "string", INT: "int", DOUBLE: "float", BOOL: "bool"}
_WORDS = {SpanField.STATUS: STATUSES, SpanField.KIND: KINDS}


def tag_scopes(storage: Storage, scope: str, limit: int) -> list[dict[str, Any]]:
    """Return [{"name": scope, "tags": [...]}], of one scope or of all; raise ParseError for an unknown scope."""
    scopes = [*SCOPE_LEVELS, "intrinsic"] if scope in {"", "none", "all"} else [scope]
    return [{"name": each, "tags": _tags(storage, each, limit)} for each in scopes]


def _tags(storage: Storage, scope: str, limit: int) -> list[str]:
    if scope == "intrinsic":
        return sorted(INTRINSICS)
    if scope not in SCOPE_LEVELS:
        raise ParseError(f"unknown scope; known are {', '.join(SCOPE_LEVELS)}, intrinsic")
    return storage.attribute_keys(Signal.TRACES, SCOPE_LEVELS[scope], limit=limit)


def tag_values(storage: Storage, tag: str, query: str, limit: int) -> list[dict[str, str]]:
    """Return [{"type": …, "value": …}] of a scoped name such as `resource.service.name`, or of an intrinsic.

    Of `query` only the service counts, for span names; a wider answer is allowed. Raises: ParseError.
    """
    found = target(tag)
    if isinstance(found, Attribute):
        values = _attribute_values(storage, found, limit)
    elif isinstance(found, Intrinsic) and found.field in _WORDS:
        return [{"type": "keyword", "value": word} for word in _WORDS[found.field]]
    elif found is TraceFact.ROOT_SERVICE:
        values = iter([("string", name) for name in storage.services()])
    elif found is TraceFact.ROOT_NAME or (isinstance(found, Intrinsic) and found.field is SpanField.NAME):
        values = (("string", each.name) for each in storage.operations(_service(query)))
    else:
        return []
    distinct = list(dict.fromkeys(values))[:limit]
    return [{"type": kind, "value": value} for kind, value in distinct]


def unscoped(tag: str) -> str:
    """Return the TraceQL name of a tag of the older API, which has no scopes."""
    return tag if tag in INTRINSICS else f".{tag}"


def _attribute_values(storage: Storage, attribute: Attribute, limit: int) -> Iterator[tuple[str, str]]:
    if attribute.key == SERVICE_NAME and Level.RESOURCE in attribute.levels:
        yield from (("string", name) for name in storage.services())
        return
    for level in attribute.levels:
        for text, letter in storage.attribute_values(Signal.TRACES, attribute.key, level, limit=limit):
            yield _TYPES.get(letter, "string"), text


def _service(query: str) -> str | None:
    """Return the service that a query names at its top, or None; what cannot be read narrows nothing."""
    try:
        part = parse_traceql(query).filter if query else None
    except ParseError:
        return None
    return _service_of(part) if part is not None else None


def _service_of(part: Filter) -> str | None:
    match part:
        case FieldCondition(SpanField.SERVICE, Op.EQ, value):
            return value
        case AllOf(parts):
            return next((name for inner in parts if (name := _service_of(inner)) is not None), None)
        case _:
            return None
