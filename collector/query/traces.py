"""Routes for traces: search, one trace by id, figures."""

from typing import Annotated, Literal

import orjson
import pyarrow as pa
from fastapi import APIRouter, Depends, Header, Path, Query, Response

from collector.query.answers import example, json_answer
from collector.query.dependencies import QueryDependencies
from collector.query.jaeger.transfers import transfers_of
from collector.query.overview import OVERVIEW_EXAMPLE, overview
from collector.query.parse.ids import parse_trace_id
from collector.query.problems import Problem, read
from collector.query.strict import strict_parameters
from collector.query.trace_reads import spans_with_transfers
from collector.query.trace_search import TraceSearch, search
from exporters.jaeger import v1_json
from exporters.jaeger.transfers import Transfers
from exporters.otlp.json import traces_json
from exporters.otlp.protobuf import traces_data

_PROTOBUF_TYPES = ("application/x-protobuf", "application/protobuf")

SEARCH_EXAMPLE = {
    "traces": [
        {
            "trace_id": "000102030405060708090a0b0c0d0e0f",
            "root_service": "shop",
            "root_name": "GET /checkout",
            "start_time": "2026-01-31T12:00:00.123456789Z",
            "start_time_unix_nano": 1769860800123456789,
            "duration_ns": 48211000,
            "span_count": 12,
            "error_count": 1,
            "services": ["cart", "shop"],
            "newest_match_time": "2026-01-31T12:00:00.130000000Z",
            "newest_match_unix_nano": 1769860800130000000,
        }
    ],
    "next_cursor": None,
}


def traces_router(deps: QueryDependencies) -> APIRouter:
    """Return the routes under /api/v1/traces."""
    router = APIRouter(prefix="/api/v1/traces", tags=["traces"], dependencies=[Depends(strict_parameters)])
    find = transfers_of(deps.storage)

    @router.get("", summary="Search traces", responses=example("A page of traces, newest first.", SEARCH_EXAMPLE))
    def traces(parameters: Annotated[TraceSearch, Query()]) -> Response:
        """Traces in which one span satisfies every condition, newest matching span first.

        Without `start` and `end` everything that is kept is searched. A root field is null while no span without a
        parent is stored. Times are integers of nanoseconds and RFC 3339 texts.
        """
        return json_answer(search(deps, parameters))

    # Before /{trace_id}, which would take "stats" for an id.
    @router.get("/stats/overview", summary="Figures", responses=example("Counts and quantiles.", OVERVIEW_EXAMPLE))
    def stats(
        last_hours: Annotated[float, Query(gt=0, le=24 * 3660, description="Hours back from now.")] = 24,
    ) -> Response:
        """Counts, errors and latency quantiles of what started in the last hours, and the store's size on disk."""
        return json_answer(overview(deps, last_hours))

    @router.get(
        "/{trace_id}",
        summary="One trace",
        responses=example("Every span of the trace.", {"resourceSpans": [{"resource": {}, "scopeSpans": []}]}),
    )
    def trace(
        trace_id: Annotated[str, Path(description="Hexadecimal; short ids are padded with zeros on the left.")],
        format: Annotated[  # noqa: A002 (the name of the parameter)
            Literal["otlp", "jaeger"], Query(description="otlp: OTLP JSON; jaeger: Jaeger's v1 JSON.")
        ] = "otlp",
        accept: Annotated[str, Header(description="`application/x-protobuf` answers a serialised TracesData.")] = "",
    ) -> Response:
        """All spans of a trace, as lossless OTLP JSON unless `format` or `Accept` say otherwise."""
        wanted = read("trace_id", parse_trace_id, trace_id)
        found = next(spans_with_transfers(deps.storage, [wanted], find if format == "jaeger" else None), None)
        if found is None:
            raise Problem("not-found", f"there is no trace {wanted.hex()}", parameter="trace_id")
        spans, transfers = found
        if format == "jaeger":
            return Response(_jaeger_envelope(spans, transfers), media_type="application/json")
        if any(each in accept for each in _PROTOBUF_TYPES):
            return Response(traces_data(spans).SerializeToString(), media_type=_PROTOBUF_TYPES[0])
        return Response(traces_json(spans), media_type="application/json")

    return router


def _jaeger_envelope(spans: pa.Table, transfers: Transfers) -> bytes:
    traces = [orjson.Fragment(trace) for _, trace in v1_json.traces_json(spans, transfers=transfers)]
    return orjson.dumps({"data": traces, "total": 0, "limit": 0, "offset": 0, "errors": None})
