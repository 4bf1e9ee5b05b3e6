"""Services, operations, attribute keys and values: what there is to search for."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from collector.query.answers import example, json_answer
from collector.query.dependencies import QueryDependencies
from collector.query.page_limit import PageLimit, checked_limit
from collector.query.parse.enums import kind_name, parse_kind
from collector.query.problems import Problem, read
from collector.query.strict import strict_parameters
from storage import attributes as letters
from storage.queries import Level, Signal

MAX_NAMES = 1000
_TYPES = {
    letters.STRING: "string",
    letters.INT: "int",
    letters.DOUBLE: "double",
    letters.BOOL: "bool",
    letters.ARRAY: "array",
    letters.KVLIST: "kvlist",
    letters.BYTES: "bytes",
    letters.EMPTY: "empty",
    letters.ABSENT: "absent",
}
_LEVELS = {
    "any": Level.ANY,
    "item": Level.ITEM,
    "span": Level.ITEM,
    "log": Level.ITEM,
    "resource": Level.RESOURCE,
    "scope": Level.SCOPE,
    "event": Level.EVENT,
    "link": Level.LINK,
}

_SignalText = Annotated[str, Query(description="traces or logs.", examples=["traces"])]
_LevelText = Annotated[
    str, Query(description="Where the attribute is: item (span or log record), resource, scope, event, link, any.")
]
_Prefix = Annotated[str, Query(description="Only what starts with this text.")]
_Limit = Annotated[PageLimit, Query(description=f"At most this many, and at most {MAX_NAMES}.")]


def names_router(deps: QueryDependencies) -> APIRouter:
    """Return the routes for autocompletion."""
    router = APIRouter(prefix="/api/v1", tags=["names"], dependencies=[Depends(strict_parameters)])
    storage = deps.storage

    @router.get(
        "/services", summary="Services", responses=example("All services, sorted.", {"services": ["cart", "shop"]})
    )
    def services() -> Response:
        """All services that have spans or log records, sorted."""
        return json_answer({"services": storage.services()})

    @router.get(
        "/services/{service:path}/operations",
        summary="Operations of a service",
        responses=example("Sorted by name.", {"operations": [{"name": "GET /cart", "kind": "server"}]}),
    )
    def operations(
        service: Annotated[str, Path(description="`service.name`, URL-encoded.")],
        kind: Annotated[str | None, Query(description="Only this span kind, by name or number.")] = None,
    ) -> Response:
        """Distinct span names of a service, each with the kind it was seen with."""
        number = None if kind is None else read("kind", parse_kind, kind)
        found = storage.operations(service, number)
        return json_answer({"operations": [{"name": each.name, "kind": kind_name(each.kind)} for each in found]})

    @router.get(
        "/attributes", summary="Attribute keys", responses=example("Sorted.", {"keys": ["http.method", "http.route"]})
    )
    def keys(
        signal: _SignalText = "traces", level: _LevelText = "item", prefix: _Prefix = "", limit: _Limit = MAX_NAMES
    ) -> Response:
        """Attribute keys that were seen, sorted."""
        return json_answer(
            {"keys": storage.attribute_keys(_signal(signal), _level(level), prefix, checked_limit(limit, MAX_NAMES))}
        )

    @router.get(
        "/attributes/{key:path}/values",
        summary="Values of an attribute",
        responses=example("Most frequent first.", {"values": [{"value": "200", "type": "int"}]}),
    )
    def values(
        key: Annotated[str, Path(description="Attribute key, URL-encoded.")],
        signal: _SignalText = "traces",
        level: _LevelText = "item",
        prefix: _Prefix = "",
        limit: _Limit = 100,
    ) -> Response:
        """Distinct values of a key among recent items, most frequent first, as the texts to search for."""
        found = storage.attribute_values(_signal(signal), key, _level(level), prefix, checked_limit(limit, MAX_NAMES))
        return json_answer({"values": [{"value": text, "type": _TYPES[letter]} for text, letter in found]})

    return router


def _signal(text: str) -> Signal:
    if text not in set(Signal):
        raise Problem("bad-parameter", "expected traces or logs", parameter="signal")
    return Signal(text)


def _level(text: str) -> Level:
    if text not in _LEVELS:
        raise Problem("bad-parameter", f"expected one of {', '.join(_LEVELS)}", parameter="level")
    return _LEVELS[text]
