"""Errors of the query API: RFC 9457 problem documents, and the one table that turns exceptions into them."""

import math
from collections.abc import Callable
from typing import Any, TypeVar

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from collector.query.parse.errors import ParseError
from storage.errors import QueryCancelled, QueryLimitExceeded, StorageRejected, StorageUnavailable

MEDIA_TYPE = "application/problem+json"
_TYPE_PREFIX = "urn:baton:problem:"
_RETRY_AFTER_SECONDS = 2.0
_CLIENT_CLOSED = 499  # as nginx counts requests whose client went away; nobody reads the answer

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")

# kind → (HTTP status, title); the kind is the last part of the document's `type`.
KINDS: dict[str, tuple[int, str]] = {
    "bad-parameter": (400, "A parameter cannot be read"),
    "unknown-parameter": (400, "There is no such parameter"),
    "rejected": (400, "The store does not take this query"),
    "unauthorized": (401, "An API key is needed"),
    "forbidden": (403, "This is not allowed here"),
    "not-found": (404, "Not found"),
    "method-not-allowed": (405, "This method is not allowed here"),
    "too-large": (413, "The body is too large"),
    "too-long": (414, "The query is too long"),
    "query-limit": (422, "The query needs too much time or memory"),
    "internal": (500, "Something is wrong with the server"),
    "too-many-tails": (503, "Too many live tails are open"),
    "draining": (503, "The server is shutting down"),
    "storage-unavailable": (503, "The store cannot answer now"),
}


class Problem(Exception):
    """A request that is answered with a problem document.

    `members` are extension members: `parameter`, `position` (characters from 0), `limit`, …; None is left out.
    """

    def __init__(self, kind: str, detail: str, retry_after: float | None = None, **members: str | int | None) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.retry_after = retry_after
        self.members = {name: value for name, value in members.items() if value is not None}

    @property
    def status(self) -> int:
        """The HTTP status."""
        return KINDS[self.kind][0]

    def document(self) -> dict[str, Any]:
        """Return the members of the problem document."""
        status, title = KINDS[self.kind]
        return {
            "type": _TYPE_PREFIX + self.kind,
            "title": title,
            "status": status,
            "detail": self.detail,
            **self.members,
        }

    def response(self) -> Response:
        """Return the answer."""
        headers = {} if self.retry_after is None else {"Retry-After": str(math.ceil(self.retry_after))}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        if self.status == 405:
            headers["Allow"] = str(self.members["allow"])
        return Response(orjson.dumps(self.document()), self.status, headers, MEDIA_TYPE)


def read(parameter: str, parse: Callable[[str], _T], text: str) -> _T:
    """Parse a parameter; what cannot be read becomes a problem that names it."""
    try:
        return parse(text)
    except ParseError as error:
        raise Problem("bad-parameter", str(error), parameter=parameter, position=error.position) from error


def as_problem(error: Exception) -> Problem:
    """Return the problem for any exception that may leave a route."""
    if isinstance(error, Problem):
        return error
    problem = Problem("internal", "the server's log says more")
    match error:
        case QueryLimitExceeded():
            advice = "shorten the time range, name a service, or ask for less"
            problem = Problem("query-limit", f"{error}; {advice}")
        case StorageRejected():
            problem = Problem("rejected", str(error))
        case StorageUnavailable():
            problem = Problem("storage-unavailable", str(error), retry_after=_RETRY_AFTER_SECONDS)
        case RequestValidationError():
            first = error.errors()[0]
            problem = Problem("bad-parameter", str(first["msg"]), parameter=str(first["loc"][-1]))
        case HTTPException(status_code=405):
            allowed = (error.headers or {}).get("Allow", "GET")
            problem = Problem("method-not-allowed", f"use {allowed}", allow=allowed)
        case HTTPException(status_code=413):
            problem = Problem("too-large", "the body is over the limit")
        case HTTPException(status_code=404):
            problem = Problem("not-found", "there is no such resource; GET /docs lists what there is")
    return problem


def install(app: FastAPI) -> None:
    """Answer every exception of the app's own routes with a problem document."""
    for kind in (Problem, RequestValidationError, HTTPException, StorageUnavailable, StorageRejected):
        app.add_exception_handler(kind, _answer)
    app.add_exception_handler(ClientDisconnect, _answer_nobody)
    app.add_exception_handler(QueryCancelled, _answer_nobody)
    app.add_exception_handler(Exception, _answer_unexpected)


async def _answer(_: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException) and error.status_code not in {404, 405, 413}:
        return Response(str(error.detail), error.status_code, error.headers, "text/plain")
    return as_problem(error).response()


async def _answer_nobody(_: Request, __: Exception) -> Response:
    return Response(status_code=_CLIENT_CLOSED)


async def _answer_unexpected(request: Request, error: Exception) -> Response:
    route = getattr(request.scope.get("route"), "path", "")
    _log.error("query_failed", route=route, error=type(error).__name__, exc_info=error)
    return as_problem(error).response()
