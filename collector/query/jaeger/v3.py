"""Routes of the v3 API, which the current UI searches with: OTLP JSON and trace summaries.

Source: jaeger `jaegerquery/internal/apiv3/http_gateway.go`.
"""

import orjson
from fastapi import APIRouter, Request, Response

from collector.query.jaeger.answers import json_answer, not_found_page
from collector.query.jaeger.errors import BadRequest
from collector.query.jaeger.parameters import first
from collector.query.jaeger.routing import get, path_segment
from collector.query.jaeger.service import JaegerQueries
from collector.query.jaeger.v3_parameters import search_request, span_kind, trace_request
from exporters.jaeger.ids import InvalidTraceId, parse_trace_id
from exporters.jaeger.search import kind_name
from exporters.jaeger.v3_json import summary_json


def v3_router(queries: JaegerQueries) -> APIRouter:
    """Return the routes under /api/v3. Handlers block on storage and run in threads."""
    router = APIRouter(prefix="/api/v3", tags=["jaeger"])

    @get(router, "/services", "Names of services")
    def services(request: Request) -> Response:
        return json_answer(orjson.dumps({"services": queries.storage.services()}), request)

    @get(router, "/operations", "Operations of a service, by `service` and `spanKind`")
    def operations(request: Request) -> Response:
        found = queries.operations(first(request.query_params, "service"), span_kind(request.query_params))
        named = [{"name": each.name, "spanKind": kind_name(each.kind) or "internal"} for each in found]
        return json_answer(orjson.dumps({"operations": named}), request)

    @get(router, "/traces/{trace_id:path}", "One trace as OTLP JSON")
    def trace(request: Request) -> Response:
        segment = path_segment(request, "/api/v3/traces/")
        if segment is None:
            return not_found_page()
        try:
            trace_id = parse_trace_id(segment)
        except InvalidTraceId as error:
            raise BadRequest(f"malformed parameter trace_id: {error}") from error
        spans = queries.resource_spans([trace_id], trace_request(request.query_params))
        return json_answer(_result(spans), request)

    @get(router, "/traces", "Search traces; all of them in one OTLP JSON object")
    def traces(request: Request) -> Response:
        asked = search_request(request.query_params, queries.limits.max_traces)
        return json_answer(_result(queries.found_resource_spans(asked.query, asked.raw)), request)

    @get(router, "/trace-summaries", "Search traces; what a list shows of each")
    def trace_summaries(request: Request) -> Response:
        asked = search_request(request.query_params, queries.limits.max_traces)
        found = [summary_json(summary) for summary in queries.summaries(asked.query)]
        return json_answer(orjson.dumps({"summaries": found}), request)

    return router


def _result(resource_spans: bytes) -> bytes:
    return orjson.dumps({"result": {"resourceSpans": orjson.Fragment(resource_spans)}})
