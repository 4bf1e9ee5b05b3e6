"""Routes of Grafana's Tempo data source.

Source: Tempo `pkg/api/http.go`, `docs/sources/tempo/api_docs`; Grafana `pkg/tsdb/tempo`.
"""

from typing import Any
from urllib.parse import unquote

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from collector.query.parse.errors import ParseError
from collector.query.parse.ids import parse_trace_id
from collector.query.tempo.answers import json_answer
from collector.query.tempo.errors import BadParameter, NotAnswered, TooMuch
from collector.query.tempo.parameters import described, read_limit, read_search
from collector.query.tempo.search import search
from collector.query.tempo.tags import tag_scopes, tag_values, unscoped
from exporters.tempo.generated.tempo_pb2 import TraceByIDResponse
from exporters.tempo.traces import tempo_trace
from storage.api import Storage

PREFIX = "/tempo"
MAX_JSON_SPANS = 100_000  # some 10 KB each while JSON is made of them
_MAX_NAMES = 5_000
_PROTOBUF = "application/protobuf"
# Grafana picks features by version: this one has scoped tags and the second trace API, and no streaming by default.
_VERSION = "2.6.0"


def tempo_router(storage: Storage) -> APIRouter:
    """Return the routes. Handlers block on storage and run in threads."""
    router = APIRouter(prefix=PREFIX, tags=["tempo"])

    @router.get("/api/echo", summary="The probe of “Save & test”")
    def echo() -> Response:
        return PlainTextResponse("echo")

    @router.get("/api/status/buildinfo", summary="The version whose API this is")
    def build_info() -> Response:
        return json_answer(
            {"version": _VERSION, "revision": "", "branch": "", "buildUser": "", "buildDate": "", "goVersion": ""}
        )

    @router.get("/api/v2/traces/{trace_id}", summary="One trace, in an envelope")
    def trace_v2(trace_id: str, request: Request) -> Response:
        found = _trace(storage, trace_id)
        if found is None:
            raise NotAnswered("trace not found")
        if _wants_protobuf(request):
            answer = TraceByIDResponse()
            answer.trace.resourceSpans.extend(found.resource_spans)
            return Response(answer.SerializeToString(), media_type=_PROTOBUF)
        return json_answer({"trace": _plain(found), "metrics": {}})

    @router.get("/api/traces/{trace_id}", summary="One trace")
    def trace_v1(trace_id: str, request: Request) -> Response:
        found = _trace(storage, trace_id)
        if found is None:
            raise NotAnswered("trace not found")
        if _wants_protobuf(request):
            return Response(found.SerializeToString(), media_type=_PROTOBUF)
        return json_answer({"batches": _plain(found).get("resourceSpans", [])})

    @router.get("/api/search", summary="Search traces in TraceQL")
    def traces(request: Request) -> Response:
        return json_answer({"traces": search(storage, read_search(request.query_params)), "metrics": {}})

    @router.get("/api/metrics/query_range", summary="Not available: TraceQL metrics")
    @router.get("/api/metrics/query", include_in_schema=False)
    def metrics() -> Response:
        raise BadParameter("TraceQL metrics (rate, count_over_time …) are not supported")

    _add_names(router, storage)

    @router.get("/api/{path:path}", include_in_schema=False)
    def others(path: str) -> Response:
        raise NotAnswered(f"{path} is not supported")

    return router


def _add_names(router: APIRouter, storage: Storage) -> None:
    """Add the routes of tags and tag values, in both generations."""

    @router.get("/api/v2/search/tags", summary="Tags by scope")
    def tags_v2(request: Request) -> Response:
        return json_answer({"scopes": _scopes(storage, request), "metrics": {}})

    @router.get("/api/search/tags", summary="Tags")
    def tags_v1(request: Request) -> Response:
        scopes = _scopes(storage, request)
        names = {tag for scope in scopes if scope["name"] != "intrinsic" for tag in scope["tags"]}
        return json_answer({"tagNames": sorted(names), "metrics": {}})

    @router.get("/api/v2/search/tag/{tag:path}/values", summary="Values of a tag in TraceQL's spelling")
    def values_v2(tag: str, request: Request) -> Response:
        return json_answer({"tagValues": _values(storage, unquote(tag), request), "metrics": {}})

    @router.get("/api/search/tag/{tag:path}/values", summary="Values of a tag")
    def values_v1(tag: str, request: Request) -> Response:
        found = _values(storage, unscoped(unquote(tag)), request)
        return json_answer({"tagValues": [each["value"] for each in found], "metrics": {}})


def _scopes(storage: Storage, request: Request) -> list[dict[str, Any]]:
    limit = read_limit(request.query_params, _MAX_NAMES)
    try:
        return tag_scopes(storage, request.query_params.get("scope", ""), limit)
    except ParseError as error:
        raise described("scope", error) from error


def _values(storage: Storage, tag: str, request: Request) -> list[dict[str, str]]:
    limit = read_limit(request.query_params, _MAX_NAMES)
    try:
        return tag_values(storage, tag, request.query_params.get("q", ""), limit)
    except ParseError as error:
        raise described("tag", error) from error


def _trace(storage: Storage, text: str) -> TracesData | None:
    """Return the trace, or None; times in the request are hints that the store does not need."""
    try:
        trace_id = parse_trace_id(text)
    except ParseError as error:
        raise described("trace id", error) from error
    spans = storage.get_traces([trace_id])
    return tempo_trace(spans) if spans.num_rows else None


def _wants_protobuf(request: Request) -> bool:
    return _PROTOBUF in request.headers.get("accept", "")


def _plain(data: TracesData) -> dict[str, Any]:
    """Return the message as Tempo writes it: protobuf's own JSON, ids in base64. Raises: TooMuch."""
    spans = sum(len(scope.spans) for resource in data.resource_spans for scope in resource.scope_spans)
    if spans > MAX_JSON_SPANS:
        raise TooMuch(f"{spans} spans are too many for JSON; send Accept: {_PROTOBUF}")
    return MessageToDict(data)
