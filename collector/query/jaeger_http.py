"""Jaeger's HTTP API over our storage: `docs/jaeger.md` lists the routes.

Not served, so answered with 404 like any unknown path: /api/quality-metrics and /api/deep-dependencies, for which
Jaeger itself has canned sample data only (their menu entries are off in the UI), and the optional AI and OTLP proxies.
"""

from fastapi import APIRouter

from collector.query.jaeger.metrics import metrics_router
from collector.query.jaeger.service import JaegerLimits, JaegerQueries
from collector.query.jaeger.transform import transform_router
from collector.query.jaeger.v1 import v1_router
from collector.query.jaeger.v3 import v3_router
from exporters.jaeger.transfers import FindTransfers
from storage.api import Storage

_LIMITS = JaegerLimits()


def jaeger_router(
    storage: Storage,
    limits: JaegerLimits = _LIMITS,
    transfers: FindTransfers | None = None,
    max_clock_skew_ns: int = 0,
) -> APIRouter:
    """Return all routes of Jaeger's v1 and v3 HTTP APIs.

    Paths are without a base path: set the app's root path. `transfers` answers the agent transfers that spans of the
    given traces caused. Contract: tests/component/jaeger_http.
    """
    queries = JaegerQueries(storage, limits, transfers, max_clock_skew_ns)
    router = APIRouter()
    for part in (v3_router(queries), v1_router(queries), metrics_router(queries)):
        router.include_router(part)
    router.include_router(transform_router(limits.max_transform_bytes))
    return router
