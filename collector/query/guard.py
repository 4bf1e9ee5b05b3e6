"""What every request of the HTTP app passes: base path, query length, API key, security headers, timing."""

import time
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from collector.query.dependencies import QueryDependencies
from collector.query.error_answers import error_answer, unforeseen
from collector.query.hangup import Hangups
from collector.query.health import LIVE_PATHS, READY_PATHS
from collector.query.problems import Problem

_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
_ENDLESS = "/logs/tail"  # an answer without end would keep the connection from its next request
_OPEN_PATHS = frozenset(LIVE_PATHS + READY_PATHS)  # probes carry no key and need no base path


class Guard:
    """Plain ASGI middleware."""

    def __init__(self, app: ASGIApp, deps: QueryDependencies) -> None:
        self._app = app
        self._deps = deps
        self._base = deps.base_path.rstrip("/")
        self._hangups = Hangups()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or websocket."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        if scope.get("method") == "HEAD" and not scope["path"].endswith(_ENDLESS):
            scope = {**scope, "method": "GET"}  # the server leaves out the body, by the scope it keeps
        problem = self._admit(scope)
        if scope["type"] == "websocket":
            if problem is None:
                await self._app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008, "reason": problem.detail[:100]})
            return
        await self._timed(scope, receive, send, problem)

    def _admit(self, scope: Scope) -> Problem | None:
        """Set the base path apart; return why the request may not pass, if so."""
        path: str = scope["path"]
        if path in _OPEN_PATHS:
            return None
        if self._base:
            if path != self._base and not path.startswith(self._base + "/"):
                return Problem("not-found", f"everything here is under {self._base}/")
            scope["root_path"] = self._base
            if path.removeprefix(self._base) in _OPEN_PATHS:
                return None
        longest = self._deps.limits.max_query_bytes
        if len(scope["query_string"]) > longest:
            return Problem("too-long", f"the query string is over {longest} bytes", limit=longest)
        authorize = self._deps.authorize
        if authorize is not None:
            headers = Headers(scope=scope)
            if not authorize(headers.get("authorization"), headers.get("x-api-key")):
                return Problem(
                    "unauthorized", "send a known API key as 'Authorization: Bearer KEY' or 'X-Api-Key: KEY'"
                )
        return None

    async def _timed(self, scope: Scope, receive: Receive, send: Send, problem: Problem | None) -> None:
        started = time.perf_counter()
        path, status = scope["path"].removeprefix(self._base), 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            answer = self._app if problem is None else error_answer(problem, path)
            async with self._hangups.watching(scope, receive) as received:
                await answer(scope, received, send_with_headers)
        except Exception as error:  # noqa: BLE001 (an edge: the server would log its text and close the connection)
            answer = unforeseen(error, path, _route(scope))
            if status:
                raise BrokenAnswer from None
            await answer(scope, receive, send_with_headers)
        finally:
            route = quote(_route(scope) or "(none)", safe="/{}:()")
            self._deps.metrics.http_request(route, status or 500, time.perf_counter() - started)


class BrokenAnswer(Exception):
    """An answer failed after it had begun; all that is left is to close the connection."""


def _route(scope: Scope) -> str:
    return getattr(scope.get("route"), "path", "")
