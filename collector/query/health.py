"""Routes for orchestrators and for whoever wonders what is going on: health, the loss ledger, metrics."""

import contextvars
import time
from dataclasses import dataclass
from typing import Any

import anyio
from fastapi import APIRouter, Depends, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from collector.query.answers import example, json_answer
from collector.query.dependencies import QueryDependencies
from collector.query.strict import strict_parameters
from collector.state import ServiceState
from storage.api import Storage
from storage.errors import StorageRejected, StorageUnavailable

LIVE_PATHS = ("/health/live", "/livez")
READY_PATHS = ("/health/ready", "/readyz")

_PING_SECONDS = 2.0
_PING_VALID_SECONDS = 1.0

LEDGER_EXAMPLE: dict[str, Any] = {
    "traces": {
        "received": 1000,
        "stored": 950,
        "rejected": {"bad_trace_id": 2},
        "pending": 48,
        "refused": 0,
        "undecodable_requests": {},
        "balanced": True,
    }
}


def health_router(deps: QueryDependencies) -> APIRouter:
    """Return /health/live, /health/ready and their aliases, /metrics and /api/v1/ledger."""
    router = APIRouter(tags=["operations"])
    ping = _Ping(deps.storage)

    async def live() -> Response:
        """200 while all threads of the service run, else 503. Never asks the store."""
        dead = [f"thread {name} does not run" for name in deps.state().dead_threads]
        return json_answer({"status": "failed" if dead else "alive", "reasons": dead}, 503 if dead else 200)

    async def ready() -> Response:
        """200 when requests can be taken, else 503 and the reasons.

        Needs a journal that can be written, a store that answers (or room in the journal until it does), and no
        shutdown under way.
        """
        state, store_error = deps.state(), await ping.error()
        stopping = state.draining or deps.stopping.is_set()
        reasons = reasons_not_ready(state, store_error, stopping=stopping)
        content = {
            "status": "not ready" if reasons else "ready",
            "reasons": reasons,
            "checks": {
                "journal": state.journal_error or "ok",
                "journal_used": round(state.journal_bytes / max(state.journal_cap_bytes, 1), 4),
                "storage": store_error or "ok",
                "draining": stopping,
            },
        }
        return json_answer(content, 503 if reasons else 200)

    for paths, answer, summary in ((LIVE_PATHS, live, "Liveness"), (READY_PATHS, ready, "Readiness")):
        for path in paths:
            router.add_api_route(path, answer, summary=summary, include_in_schema=path == paths[0])

    @router.get(
        "/metrics", summary="Metrics", responses=example("Prometheus text.", "baton_draining 0.0\n", "text/plain")
    )
    async def metrics() -> Response:
        """Figures about the service itself in Prometheus' text format; docs/metrics.md explains them."""
        return Response(generate_latest(deps.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    @router.get(
        "/api/v1/ledger",
        summary="Loss ledger",
        dependencies=[Depends(strict_parameters)],
        responses=example("Per signal.", LEDGER_EXAMPLE),
    )
    async def ledger() -> Response:
        """What became of every item: received = stored + sum(rejected) + pending, at any moment and across restarts.

        Beside the equation: `refused` items were not taken and are sent again by their clients;
        `undecodable_requests` counts requests whose items could not even be counted.
        """
        return json_answer({signal: _balanced(totals) for signal, totals in deps.ledger.snapshot().items()})

    return router


def reasons_not_ready(state: ServiceState, store_error: str, *, stopping: bool) -> list[str]:
    """Return why requests cannot be taken now; a store that does not answer is one only when the journal is full."""
    reasons = ["the service is starting"] if state.starting else []
    if stopping:
        reasons.append("the service is shutting down")
    if state.journal_error:
        reasons.append(f"the journal cannot be written: {state.journal_error}")
    if store_error and state.journal_bytes >= state.journal_cap_bytes:
        reasons.append(f"the journal is full and the store does not answer: {store_error}")
    return reasons


def _balanced(totals: dict[str, Any]) -> dict[str, Any]:
    explained = totals["stored"] + sum(totals["rejected"].values()) + totals["pending"]
    return {**totals, "balanced": totals["received"] == explained}


@dataclass(slots=True)
class _Ping:
    """Asks the store whether it answers, at most once a second, one question at a time, and never waits for long."""

    storage: Storage
    at: float = float("-inf")
    last: str = ""
    slot: anyio.CapacityLimiter | None = None

    async def error(self) -> str:
        """Return why the store does not answer, or nothing."""
        if time.monotonic() - self.at < _PING_VALID_SECONDS:
            return self.last
        # A pool of its own: slow searches must not make the service look unready.
        self.slot = self.slot or anyio.CapacityLimiter(1)
        found = f"no answer within {_PING_SECONDS:g} s"
        with anyio.move_on_after(_PING_SECONDS):
            found = await anyio.to_thread.run_sync(self._ask, limiter=self.slot, abandon_on_cancel=True)
        self.at, self.last = time.monotonic(), found
        return found

    def _ask(self) -> str:
        try:
            contextvars.Context().run(self.storage.ping)  # for all who ask: one that hangs up does not end it
        except (StorageUnavailable, StorageRejected) as error:
            return str(error) or type(error).__name__
        return ""
