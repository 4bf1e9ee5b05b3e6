"""Routes of the v1 API: traces in Jaeger's own JSON, services, operations, dependencies.

Source: jaeger v2.20.0 `jaegerquery/internal/http_handler.go`.
"""

from urllib.parse import unquote_plus

import orjson
from fastapi import APIRouter, Request, Response

from collector.query.jaeger.answers import envelope, json_answer, not_found_page
from collector.query.jaeger.errors import BadRequest, NotFound, Unsupported
from collector.query.jaeger.parameters import (
    dependencies_request,
    first,
    read_bool,
    read_time,
    trace_request,
)
from collector.query.jaeger.routing import get, path_between, path_segment
from collector.query.jaeger.service import JaegerQueries
from exporters.jaeger.ids import InvalidTraceId, parse_trace_id, trace_id_text
from exporters.jaeger.search import kind_name

_MICROSECOND = 1_000


def v1_router(queries: JaegerQueries) -> APIRouter:
    """Return the routes of traces and names. Handlers block on storage and run in threads."""
    router = APIRouter(tags=["jaeger"])
    _add_names(router, queries)
    _add_traces(router, queries)
    return router


def _add_names(router: APIRouter, queries: JaegerQueries) -> None:
    """Add services, operations and dependencies."""

    @get(router, "/api/services", "Names of services")
    def services(request: Request) -> Response:
        names = queries.storage.services()
        return json_answer(envelope(names, total=len(names)), request)

    @get(router, "/api/operations", "Operations of a service, by `service` and `spanKind`")
    def operations(request: Request) -> Response:
        service = first(request.query_params, "service")
        if not service:
            raise BadRequest("parameter 'service' is required")
        found = queries.operations(service, first(request.query_params, "spanKind"))
        data = [{"name": each.name, "spanKind": kind_name(each.kind)} for each in found]
        return json_answer(envelope(data, total=len(data)), request)

    @get(router, "/api/services/{service:path}/operations", "Operation names of a service")
    def service_operations(request: Request) -> Response:
        service = path_between(request, "/api/services/", "/operations")
        if service is None:
            return not_found_page()
        # Jaeger decodes the name once more than the URL asks for; Grafana does not encode it, not even its slashes.
        names = sorted({each.name for each in queries.operations(unquote_plus(service))})
        return json_answer(envelope(names or None, total=len(names)), request)

    @get(router, "/api/dependencies", "How often services call one another")
    def dependencies(request: Request) -> Response:
        time, service = dependencies_request(request.query_params, queries.clock())
        links = queries.storage.dependencies(time, service or None)
        data = [{"parent": each.parent, "child": each.child, "callCount": each.call_count} for each in links]
        return json_answer(envelope(data), request)


def _add_traces(router: APIRouter, queries: JaegerQueries) -> None:
    """Add search, traces by id and the archive."""

    @get(router, "/api/traces", "Search traces, or read those of `traceID`")
    def search(request: Request) -> Response:
        asked = trace_request(request.query_params, queries.clock(), queries.limits.max_traces)
        if not asked.ids:
            found = queries.search(asked.query, asked.raw)
            return json_answer(envelope([orjson.Fragment(trace) for trace in found]), request)
        traces = queries.traces(asked.ids, asked.raw)
        missing = [trace_id for trace_id in dict.fromkeys(asked.ids) if trace_id not in traces]
        errors = [{"msg": "trace not found", "traceID": trace_id_text(trace_id)} for trace_id in missing]
        return json_answer(envelope([orjson.Fragment(each) for each in traces.values()], errors or None), request)

    @get(router, "/api/traces/{trace_id:path}", "One trace")
    def trace(request: Request) -> Response:
        segment = path_segment(request, "/api/traces/")
        if segment is None:
            return not_found_page()
        trace_id, raw = _trace_parameters(request, segment)
        found = queries.traces([trace_id], raw)
        if not found:
            raise NotFound("trace not found")
        return json_answer(envelope([orjson.Fragment(found[trace_id])]), request)

    @router.post("/api/archive/{trace_id:path}", summary="Not available: there is no archive store")
    def archive(request: Request) -> Response:
        segment = path_segment(request, "/api/archive/")
        if segment is None:
            return not_found_page()
        _trace_parameters(request, segment)
        raise Unsupported("archive span storage was not configured")


def _trace_parameters(request: Request, segment: str) -> tuple[bytes, bool]:
    """Return the trace id and whether the trace is wanted raw. Times are only hints, but must be numbers."""
    try:
        trace_id = parse_trace_id(segment)
    except InvalidTraceId as error:
        raise BadRequest(str(error)) from error
    for name in ("start", "end"):
        read_time(request.query_params, name, _MICROSECOND, 0)
    return trace_id, read_bool(request.query_params, "raw")
