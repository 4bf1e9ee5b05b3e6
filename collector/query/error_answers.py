"""How errors look: what the clients of each API expect, whatever refuses the request (a route, the guard, the router).

`_SHAPES` is the one place that says which API a path belongs to, and each API has one function that writes its errors.
"""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from collector.http_limits import MAX_HEADER_BYTES
from collector.logging import described
from collector.query.jaeger.answers import v1_error, v3_error
from collector.query.loki.answers import loki_error
from collector.query.problems import Problem, as_problem
from collector.query.tempo.answers import tempo_error
from storage.errors import QueryCancelled, StorageRejected, StorageUnavailable

ErrorShape: TypeAlias = Callable[[int, str], Response]  # status and message in, the answer out
_Handler: TypeAlias = Callable[[Request, Exception], Awaitable[Response]]

# The first prefix of the path counts; None is our own API, as is every other path.
_SHAPES: tuple[tuple[str, ErrorShape | None], ...] = (
    ("/api/v1/", None),
    ("/api/v3/", v3_error),
    ("/api/", v1_error),
    ("/loki/", loki_error),
    ("/tempo/", tempo_error),
)
_CLIENT_CLOSED = 499  # as nginx counts requests whose client went away; nobody reads the answer
_TOLD = (404, 405, 413)  # what the router and the app itself say that has a problem of its own

_log = structlog.get_logger(__name__)


def error_answer(problem: Problem, path: str) -> Response:
    """Return a problem as the clients of the path's API expect it. The path is without a base path."""
    shape = next((shape for prefix, shape in _SHAPES if path.startswith(prefix)), None)
    if shape is None:
        return problem.response()
    answer = shape(problem.status, problem.detail)
    answer.headers.update(problem.headers)
    return answer


def before_the_body(target: bytes, base: str) -> Response:
    """Return the answer to a request of whose line and headers there is no end, by as much of its target as came."""
    kind = "too-long" if len(target) > MAX_HEADER_BYTES // 2 else "headers-too-large"
    problem = Problem(kind, f"request line and headers are over {MAX_HEADER_BYTES} bytes", limit=MAX_HEADER_BYTES)
    return error_answer(problem, target.decode("ascii", "replace").removeprefix(base))


def install(app: FastAPI, base: str) -> None:
    """Answer what the app's routes raise. Paths have `base` in front of them: empty, or without a last slash.

    What nobody foresaw is `unforeseen`'s: the framework would answer it, too, but raise it again afterwards.
    """
    told = _telling(base)
    for kind in (Problem, RequestValidationError, HTTPException, StorageUnavailable, StorageRejected):
        app.add_exception_handler(kind, told)
    for gone in (ClientDisconnect, QueryCancelled):
        app.add_exception_handler(gone, _answer_nobody)


def unforeseen(error: Exception, path: str, route: str) -> Response:
    """Return the answer to an error that nobody foresaw, and log where it was. The path is without a base path."""
    _log.error("query_failed", route=route, **described(error))
    return error_answer(as_problem(error), path)


def _telling(base: str) -> _Handler:
    async def answer(request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException) and error.status_code not in _TOLD:
            return Response(str(error.detail), error.status_code, error.headers, "text/plain")
        return error_answer(as_problem(error), request.scope["path"].removeprefix(base))

    return answer


async def _answer_nobody(_: Request, __: Exception) -> Response:
    return Response(status_code=_CLIENT_CLOSED)
