"""Routes of the Monitor tab: request, error and duration figures computed from stored spans.

Source: jaeger `jaegerquery/internal/http_handler.go` (latencies, calls, errors, minstep before v2.18).
"""

from collections.abc import Callable
from typing import Any

import orjson
import pyarrow as pa
from fastapi import APIRouter, Request, Response

from collector.query.jaeger.answers import envelope, json_answer
from collector.query.jaeger.errors import TooMuch
from collector.query.jaeger.parameters import metrics_request, quantile
from collector.query.jaeger.routing import get
from collector.query.jaeger.service import JaegerQueries
from exporters.jaeger.span_metrics import MetricsRange, call_rates, error_rates, latencies

_MIN_STEP_MS = 1


def metrics_router(queries: JaegerQueries) -> APIRouter:
    """Return the routes under /api/metrics. Handlers block on storage and run in threads."""
    router = APIRouter(prefix="/api/metrics", tags=["jaeger"])

    def family(request: Request, figures: Callable[[pa.Table, MetricsRange], dict[str, Any]]) -> Response:
        asked = metrics_request(request.query_params, queries.clock())
        rows = queries.storage.span_metrics(asked.query())
        series = rows.group_by(["service_name", "span_name"]).aggregate([]).num_rows
        most = queries.limits.max_metric_points
        if series * asked.point_count > most:
            raise TooMuch(f"{series} series are over {most} points; ask for a shorter lookback or a longer step")
        return json_answer(orjson.dumps(figures(rows, asked)), request)

    @get(router, "/latencies", "Latency quantiles over time")
    def latency(request: Request) -> Response:
        wanted = quantile(request.query_params)
        return family(request, lambda rows, asked: latencies(rows, asked, wanted))

    @get(router, "/calls", "Requests per second over time")
    def calls(request: Request) -> Response:
        return family(request, call_rates)

    @get(router, "/errors", "Share of failed requests over time")
    def errors(request: Request) -> Response:
        return family(request, error_rates)

    @get(router, "/minstep", "The smallest step of the figures, in milliseconds")
    def min_step(request: Request) -> Response:
        return json_answer(envelope(_MIN_STEP_MS), request)

    return router
