"""Whatever refuses a request, the answer looks as the clients of the path's API expect."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from structlog.testing import capture_logs

from collector.query.admin import admin_router
from collector.query.app import build_app
from collector.query.dependencies import QueryDependencies
from collector.query.error_answers import before_the_body
from collector.query.guard import BrokenAnswer
from collector.query.jaeger_http import jaeger_router
from collector.query.loki.router import loki_router
from collector.query.tempo.router import tempo_router
from collector.query.ui import UiSettings, mount_ui
from storage.errors import QueryCancelled, QueryLimitExceeded, StorageRejected, StorageUnavailable

PATHS = ("/api/services", "/api/v3/services", "/loki/loki/api/v1/labels", "/tempo/api/echo", "/api/v1/services")
# A folder of each API, in which a route that fails is put.
FOLDERS = ("/api", "/api/v3", "/loki/loki/api/v1", "/tempo/api", "/api/v1")


async def ask(deps: QueryDependencies, path: str, method: str = "GET", failing: APIRouter | None = None) -> Any:
    """Ask the app with everybody's APIs."""
    others = (jaeger_router(deps.storage), loki_router(deps.storage, deps.stopping), tempo_router(deps.storage))
    app = build_app(dataclasses.replace(deps, routers=(*([failing] if failing else []), *others)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://baton") as client:
        return await client.request(method, path)


def told(path: str, answer: httpx.Response) -> str:
    """Return the message of an error, after looking at its form."""
    kind, status = answer.headers["content-type"], answer.status_code
    if path.startswith("/api/v1/"):
        assert (kind, answer.json()["status"]) == ("application/problem+json", status)
        return str(answer.json()["detail"])
    if path.startswith("/loki/"):
        body = answer.json()
        assert (kind, body["status"], body["error"]) == ("application/json", "error", body["message"])
        return str(body["message"])
    assert kind == "text/plain; charset=utf-8"
    if path.startswith("/tempo/"):
        return answer.text
    assert (answer.headers["x-content-type-options"], answer.text[-2:]) == ("nosniff", "}\n")
    assert "traceresponse" in answer.headers
    body = answer.json()
    if path.startswith("/api/v3/"):
        assert (list(body), body["error"]["httpCode"]) == (["error"], status)
        return str(body["error"]["message"])
    (error,) = body.pop("errors")
    assert (body, error["code"]) == ({"data": None, "total": 0, "limit": 0, "offset": 0}, status)
    return str(error["msg"])


@pytest.mark.anyio
@pytest.mark.parametrize("base", ["", "/obs"])
@pytest.mark.parametrize("path", PATHS)
async def test_what_the_guard_refuses(deps: QueryDependencies, path: str, base: str) -> None:
    closed = dataclasses.replace(deps, base_path=base, authorize=lambda authorization, api_key: False)
    refused = await ask(closed, base + path)
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert "known API key" in told(path, refused)
    long = await ask(closed, f"{base}{path}?x={'y' * 17_000}")
    assert (long.status_code, told(path, long)) == (414, "the query string is over 16384 bytes")


@pytest.mark.parametrize("base", ["", "/obs"])
@pytest.mark.parametrize("path", PATHS)
def test_what_is_too_large_before_the_body(path: str, base: str) -> None:
    for query, status in (("?x", 431), (f"?x={'y' * 40_000}", 414)):
        answer = before_the_body(f"{base}{path}{query}".encode(), base)
        seen = httpx.Response(answer.status_code, headers=answer.raw_headers, content=bytes(answer.body))
        assert (seen.status_code, told(path, seen)) == (status, "request line and headers are over 65536 bytes")


@pytest.mark.anyio
@pytest.mark.parametrize("path", PATHS)
async def test_another_method(deps: QueryDependencies, path: str) -> None:
    answer = await ask(deps, path, "DELETE")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
    assert told(path, answer) == "use GET"


@pytest.mark.anyio
async def test_another_method_is_told_which_the_path_has(deps: QueryDependencies) -> None:
    app = build_app(dataclasses.replace(deps, routers=[admin_router(None), loki_router(deps.storage, deps.stopping)]))
    mount_ui(app, UiSettings())
    described = {path: {method.upper() for method in known} for path, known in app.openapi()["paths"].items()}
    assert described["/api/v1/admin/purge"] == {"POST"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://baton") as client:
        for path, methods in described.items():
            for method in {"GET", "POST", "PUT"} - methods:
                answer = await client.request(method, path)
                assert (answer.status_code, answer.headers["allow"]) == (405, ", ".join(sorted(methods))), path
        for method in ("GET", "PUT"):
            assert (await client.request(method, "/api/v1/nothing")).status_code == 404
        assert (await client.delete("/")).headers["allow"] == "GET, HEAD"


@pytest.mark.anyio
@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize(
    ("error", "status", "message", "retry_after"),
    [
        (StorageUnavailable("disk is away"), 503, "disk is away", "2"),
        (QueryLimitExceeded("took over 30 s"), 422, "took over 30 s; shorten the time range", None),
        (StorageRejected("no such regex"), 400, "no such regex", None),
        (KeyError("secret"), 500, "the server's log says more", None),
    ],
)
async def test_what_fails(
    deps: QueryDependencies, folder: str, error: Exception, status: int, message: str, retry_after: str | None
) -> None:
    answer = await ask(deps, f"{folder}/fail", failing=_failing(f"{folder}/fail", error))
    assert (answer.status_code, answer.headers.get("retry-after")) == (status, retry_after)
    assert told(f"{folder}/fail", answer).startswith(message)


@pytest.mark.anyio
async def test_the_log_says_where_something_unforeseen_failed_and_not_its_text(deps: QueryDependencies) -> None:
    with capture_logs() as lines:
        await ask(deps, "/api/v1/fail", failing=_failing("/api/v1/fail", KeyError("a user's text")))
    (line,) = lines
    assert (line["event"], line["route"], line["error"]) == ("query_failed", "/api/v1/fail", "KeyError")
    assert line["places"][-1].startswith("fail:")
    assert "a user's text" not in repr(line)


@pytest.mark.anyio
async def test_an_answer_that_fails_when_it_has_begun_is_broken_off(deps: QueryDependencies) -> None:
    router = APIRouter()

    @router.get("/api/v1/fail")
    def fail() -> StreamingResponse:
        def pieces() -> Iterator[bytes]:
            yield b"half"
            raise KeyError("a user's text")

        return StreamingResponse(pieces())

    with capture_logs() as lines, pytest.raises(BrokenAnswer):
        await ask(deps, "/api/v1/fail", failing=router)
    assert [line["event"] for line in lines] == ["query_failed"]


@pytest.mark.anyio
@pytest.mark.parametrize("folder", FOLDERS)
async def test_nobody_waits_any_more(deps: QueryDependencies, folder: str) -> None:
    answer = await ask(deps, f"{folder}/fail", failing=_failing(f"{folder}/fail", QueryCancelled("nobody waits")))
    assert (answer.status_code, answer.content) == (499, b"")


def _failing(path: str, error: Exception) -> APIRouter:
    router = APIRouter()

    @router.get(path)
    def fail() -> None:
        raise error

    return router
