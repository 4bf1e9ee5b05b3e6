"""The HTTP app on 16686: our query API, the routers of other APIs, and the pages that explain them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio.to_thread
from fastapi import APIRouter, FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse
from fastapi.telemetry import TelemetryConfig
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from collector.query import error_answers
from collector.query.agents.routes import agents_router
from collector.query.dependencies import QueryDependencies
from collector.query.guard import Guard
from collector.query.health import health_router
from collector.query.logs import logs_router
from collector.query.names import names_router
from collector.query.problems import Problem
from collector.query.traces import traces_router

_DOCS_PAGE = Path(__file__).with_name("docs.html")
_DOCS_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'"
_DESCRIPTION = """Traces and log records, and what became of everything that was sent.

Times are integers of nanoseconds since the epoch, with an RFC 3339 text beside them; ids are lower-case hexadecimal.
Errors are RFC 9457 problem documents (`application/problem+json`) whose `parameter` names the parameter at fault.
Pages follow one another by `next_cursor`.
"""
_TAGS = [
    {"name": "traces", "description": "Search traces, read one."},
    {"name": "logs", "description": "Search and follow log records."},
    {"name": "agents", "description": "Agent transfers, agents and what they cost, conversations."},
    {"name": "names", "description": "What there is to search for: services, operations, attributes."},
    {"name": "operations", "description": "Health, metrics, and the loss ledger."},
]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
# The app must not trace itself: its spans would come back to it as telemetry to store.
_NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}


def build_app(deps: QueryDependencies) -> FastAPI:
    """Assemble the app. Nothing runs yet; `collector.query.server.QueryServer` serves it."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = deps.limits.threads
        yield

    app = FastAPI(
        title="Baton",
        summary="OpenTelemetry-native collector backend: query API",
        description=_DESCRIPTION,
        version=deps.version,
        openapi_tags=_TAGS,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        telemetry=_NO_TELEMETRY,
        max_body_size=deps.limits.max_body_bytes,
    )
    app.add_middleware(Guard, deps=deps)
    error_answers.install(app, deps.base_path.rstrip("/"))
    own = (traces_router, logs_router, agents_router, names_router, health_router)
    for router in (*(each(deps) for each in own), *deps.routers):
        app.include_router(router)
    app.include_router(_pages(list(app.routes)))
    return app


def _pages(routes: Sequence[BaseRoute]) -> APIRouter:
    """Return the pages, and what answers where our API has none of `routes`."""
    router = APIRouter(include_in_schema=False)
    page = _DOCS_PAGE.read_text(encoding="utf-8")

    @router.get("/docs")
    async def docs() -> HTMLResponse:
        return HTMLResponse(page, headers={"Content-Security-Policy": _DOCS_POLICY})

    @router.api_route("/api/v1/{path:path}", methods=METHODS)
    async def unknown(path: str, request: Request) -> None:
        scopes = [{**request.scope, "method": method} for method in METHODS]
        allowed = [scope["method"] for scope in scopes if any(_takes(route, scope) for route in routes)]
        if allowed:
            raise HTTPException(405, headers={"Allow": ", ".join(allowed)})
        raise Problem("not-found", f"there is no resource /api/v1/{path}; /docs lists what there is")

    return router


def _takes(route: BaseRoute, scope: Scope) -> bool:
    return route.matches(scope)[0] is Match.FULL
