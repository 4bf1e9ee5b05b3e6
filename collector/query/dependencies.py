"""What the query side needs from the rest of the process."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from fastapi import APIRouter

from collector.metrics import Metrics
from collector.state import ServiceState
from storage.agents import AgentStorage


class Ledger(Protocol):
    """The loss ledger, see `collector.pipeline.ledger`."""

    def snapshot(self) -> dict[str, Any]:
        """Return, per signal: received, stored, rejected {reason: n}, pending, and what is counted beside them."""
        ...


class Authorizer(Protocol):
    """Decides who may ask."""

    def __call__(self, authorization: str | None, api_key: str | None) -> bool:
        """Return whether a request with these `authorization` and `x-api-key` headers may pass.

        Takes time that does not depend on the key.
        """
        ...


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """What one caller may ask for."""

    max_query_bytes: int = 16 * 1024  # of the URL's query string
    max_body_bytes: int = 16 * 2**20
    max_traces: int = 1_000
    max_logs: int = 5_000
    max_transfers: int = 5_000
    max_conversations: int = 1_000
    max_timeline_entries: int = 10_000
    max_tails: int = 16  # live tails open at the same time
    threads: int = 16  # queries running at the same time; more wait


@dataclass(frozen=True, slots=True)
class QueryDependencies:
    """Everything `build_app` needs; `routers` are the routes of other APIs (Jaeger, …), served as they are.

    `stopping` is set by the server before it closes, so that open streams end.
    """

    storage: AgentStorage
    ledger: Ledger
    state: Callable[[], ServiceState]
    metrics: Metrics
    version: str
    limits: QueryLimits = QueryLimits()
    base_path: str = ""
    authorize: Authorizer | None = None
    routers: Sequence[APIRouter] = ()
    clock: Callable[[], int] = time.time_ns
    stopping: threading.Event = field(default_factory=threading.Event)
