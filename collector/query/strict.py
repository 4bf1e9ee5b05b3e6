"""Query parameters that a route does not have, or has only once, are mistakes and never ignored."""

import difflib
from collections.abc import Callable
from typing import Any, get_origin
from weakref import WeakKeyDictionary

from fastapi import Request
from fastapi.routing import APIRoute
from pydantic import BaseModel

from collector.query.problems import Problem


async def strict_parameters(request: Request) -> None:
    """Raise a problem for the first unknown parameter, or the first that is repeated but takes one value."""
    if not request.scope["query_string"]:
        return
    repeatable = _parameters(request.scope["route"])
    seen: set[str] = set()
    for name, _ in request.query_params.multi_items():
        if name not in repeatable:
            raise Problem("unknown-parameter", _advice(name, sorted(repeatable)), parameter=name)
        if name in seen and not repeatable[name]:
            raise Problem("bad-parameter", "may be given once only", parameter=name)
        seen.add(name)


# By endpoint: routes themselves cannot be hashed.
_known: WeakKeyDictionary[Callable[..., Any], dict[str, bool]] = WeakKeyDictionary()


def _parameters(route: APIRoute) -> dict[str, bool]:
    """Return the names of a route's query parameters, and whether each may be repeated."""
    found = _known.get(route.endpoint)
    if found is None:
        found = _known[route.endpoint] = _read(route)
    return found


def _read(route: APIRoute) -> dict[str, bool]:
    found: dict[str, bool] = {}
    for parameter in route.dependant.query_params:
        annotation = parameter.field_info.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            for name, info in annotation.model_fields.items():
                found[info.alias or name] = get_origin(info.annotation) is list
        else:
            found[parameter.alias] = get_origin(annotation) is list
    return found


def _advice(name: str, known: list[str]) -> str:
    if not known:
        return "this resource takes no parameters"
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]}?" if close else ""
    return f"known parameters are {', '.join(known)}{hint}"
