"""Errors of everything that answers over HTTP, and the one table that turns exceptions into them.

How they look is Baton's own form here, RFC 9457 problem documents; `collector.query.error_answers` knows others'.
"""

import math
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import orjson
from fastapi import Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from collector.query.parse.errors import ParseError
from storage.errors import QueryLimitExceeded, StorageRejected, StorageUnavailable

MEDIA_TYPE = "application/problem+json"
_TYPE_PREFIX = "urn:baton:problem:"
_RETRY_AFTER_SECONDS = 2.0

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
    "headers-too-large": (431, "The headers are too large"),
    "internal": (500, "Something is wrong with the server"),
    "too-many-tails": (503, "Too many live tails are open"),
    "draining": (503, "The server is shutting down"),
    "storage-unavailable": (503, "The store cannot answer now"),
}


class Problem(Exception):
    """A request that cannot be answered as it is, or not now.

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

    @property
    def headers(self) -> dict[str, str]:
        """The headers that go with the status, whatever the body looks like."""
        headers = {} if self.retry_after is None else {"Retry-After": str(math.ceil(self.retry_after))}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        if self.status == 405:
            headers["Allow"] = str(self.members["allow"])
        return headers

    def response(self) -> Response:
        """Return the answer as a problem document."""
        return Response(orjson.dumps(self.document()), self.status, self.headers, MEDIA_TYPE)


class PlainProblem(Problem):
    """A problem of one kind, which a subclass names; nothing but a message is said of it."""

    KIND: ClassVar[str]

    def __init__(self, message: str) -> None:
        super().__init__(self.KIND, message)


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
            most = first.get("ctx", {}).get("le")
            problem = Problem("bad-parameter", str(first["msg"]), parameter=str(first["loc"][-1]), limit=most)
        case HTTPException(status_code=405):
            given = (error.headers or {}).get("Allow", "GET")
            allowed = ", ".join(sorted(given.split(", ")))  # the router's are in any order
            problem = Problem("method-not-allowed", f"use {allowed}", allow=allowed)
        case HTTPException(status_code=413):
            problem = Problem("too-large", "the body is over the limit")
        case HTTPException(status_code=404):
            problem = Problem("not-found", "there is no such resource; GET /docs lists what there is")
    return problem
