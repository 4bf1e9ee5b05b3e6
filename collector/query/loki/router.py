"""Routes of Grafana's Loki data source.

Source: Loki HTTP API reference; Grafana `pkg/tsdb/loki`, `public/app/plugins/datasource/loki`.
"""

import threading
import time

from fastapi import APIRouter, Request, Response, WebSocket
from starlette.concurrency import run_in_threadpool

from collector.query.loki.answers import plain_json, result, streams, success
from collector.query.loki.entries import find_entries
from collector.query.loki.errors import BadParameter, NotAnswered
from collector.query.loki.metrics import Steps, matrix, vector
from collector.query.loki.names import label_names, label_values, series, stats
from collector.query.loki.parameters import (
    read_limit,
    read_names_range,
    read_oldest_first,
    read_query,
    read_range,
    read_selection,
    read_step,
    read_time,
    selections,
)
from collector.query.loki.plan import plan
from collector.query.loki.syntax import Constant, LogSelection
from collector.query.loki.tail import Tails
from storage.api import Storage
from storage.errors import StorageRejected, StorageUnavailable

PREFIX = "/loki"
_DEFAULT_LINES, _MAX_LINES = 100, 5_000
_VERSION = "3.0.0"
_EVERYTHING = LogSelection(())


def loki_router(storage: Storage, stopping: threading.Event, max_tails: int = 16) -> APIRouter:
    """Return the routes; `stopping` ends live tails. Handlers block on storage and run in threads."""
    router = APIRouter(prefix=f"{PREFIX}/loki/api/v1", tags=["loki"])
    _add_queries(router, storage)
    _add_names(router, storage)
    tails = Tails(storage, stopping, max_tails)

    @router.get("/status/buildinfo", summary="The version whose API this is")
    def build_info() -> Response:
        return success(
            {"version": _VERSION, "revision": "", "branch": "", "buildUser": "", "buildDate": "", "goVersion": ""}
        )

    @router.get("/{path:path}", include_in_schema=False)
    def others(path: str) -> Response:
        raise NotAnswered(f"{path} is not supported")

    @router.websocket("/tail")
    async def tail(socket: WebSocket) -> None:
        try:
            asked = read_selection(socket.query_params)
            start = read_time(socket.query_params, "start", time.time_ns())
        except BadParameter as error:
            await socket.close(1008, str(error)[:100])
            return
        try:
            wanted = await run_in_threadpool(plan, asked, storage)
        except (StorageUnavailable, StorageRejected) as error:
            await socket.close(1013, str(error)[:100])
            return
        await tails.serve(socket, wanted, start)

    return router


def _add_queries(router: APIRouter, storage: Storage) -> None:
    @router.get("/query_range", summary="Log lines, or counts over time")
    def query_range(request: Request) -> Response:
        asked = read_query(request.query_params)
        span = read_range(request.query_params, time.time_ns())
        if isinstance(asked, LogSelection):
            limit = read_limit(request.query_params, _DEFAULT_LINES, _MAX_LINES)
            oldest_first = read_oldest_first(request.query_params)
            return streams(find_entries(storage, plan(asked, storage), span, limit, oldest_first), request)
        steps = Steps.aligned(span, read_step(request.query_params, span))
        if isinstance(asked, Constant):
            points = range(steps.first, steps.last + 1, steps.step)
            values = [[point / 1e9, asked.text] for point in points]
            return result("matrix", [{"metric": {}, "values": values}])
        return result("matrix", matrix(storage, asked, steps))

    @router.get("/query", summary="Counts at one time")
    def query(request: Request) -> Response:
        asked = read_query(request.query_params)
        now = time.time_ns()
        at = read_time(request.query_params, "time", now)
        at = now if at is None else at
        if isinstance(asked, Constant):
            return result("vector", [{"metric": {}, "value": [at / 1e9, asked.text]}])
        if isinstance(asked, LogSelection):
            raise BadParameter("log queries are not supported as an instant query type; use query_range")
        return result("vector", vector(storage, asked, at))


def _add_names(router: APIRouter, storage: Storage) -> None:
    @router.get("/labels", summary="Names of stream labels")
    @router.get("/label", include_in_schema=False)
    def labels() -> Response:
        return success(label_names(storage))

    @router.get("/label/{name}/values", summary="Values of a stream label")
    def values(name: str, request: Request) -> Response:
        asked = read_selection(request.query_params) if request.query_params.get("query") else _EVERYTHING
        span = read_names_range(request.query_params, time.time_ns())
        return success(label_values(storage, name, plan(asked, storage), span))

    @router.get("/series", summary="Label sets of streams")
    def streams_found(request: Request) -> Response:
        texts = request.query_params.getlist("match[]") or request.query_params.getlist("match")
        asked = selections("match[]", texts) or [_EVERYTHING]
        return success(series(storage, asked, read_names_range(request.query_params, time.time_ns())))

    @router.get("/index/stats", summary="How much a query would read")
    def index_stats(request: Request) -> Response:
        asked = read_selection(request.query_params)
        span = read_names_range(request.query_params, time.time_ns())
        # As Loki does, without the envelope.
        return plain_json(stats(storage, asked, span))
