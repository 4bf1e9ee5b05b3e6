"""Query parameters of the v3 API: camelCase, with Jaeger's older snake_case names beside them.

Source: jaeger `jaegerquery/internal/apiv3/query_parser.go`; error texts are its.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from starlette.datastructures import QueryParams

from collector.query.jaeger.errors import BadRequest
from collector.query.jaeger.go_values import GoError, parse_bool, parse_duration, parse_int, parse_rfc3339
from collector.query.jaeger.parameters import bounded, first, search_depth, text_map
from exporters.jaeger.search import tags_filter
from storage.queries import TimeRange, TraceQuery

_DEFAULT_DEPTH = 100
_LATEST = 2**64 - 1
_FILTER_DISABLED = (
    'the structured query filter is disabled: enable the "jaeger.query.structuredFilters" feature gate to use it'
)

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """`GET /api/v3/traces` and `/api/v3/trace-summaries`."""

    query: TraceQuery
    raw: bool


def search_request(params: QueryParams, max_traces: int) -> SearchRequest:
    """Read a search; the end counts as within."""
    attributes: dict[str, str] = bounded(_read(params, ("query.attributes",), text_map, {}))
    if first(params, "query.filter"):
        raise BadRequest(_FILTER_DISABLED)
    time = _range(params)
    depths = ("query.searchDepth", "query.search_depth", "query.num_traces")
    depth = _read(params, depths, partial(parse_int, function="Atoi"), _DEFAULT_DEPTH)
    shortest = _read(params, ("query.durationMin", "query.duration_min"), parse_duration, 0)
    longest = _read(params, ("query.durationMax", "query.duration_max"), parse_duration, 0)
    raw = _read(params, ("query.rawTraces", "query.raw_traces"), parse_bool, False)
    query = TraceQuery(
        time=time,
        service_name=_named(params, ("query.serviceName", "query.service_name"))[0] or None,
        span_name=_named(params, ("query.operationName", "query.operation_name"))[0] or None,
        filter=tags_filter(attributes),
        duration_min_ns=shortest or None,
        duration_max_ns=longest or None,
        limit=search_depth(depth, max_traces),
    )
    return SearchRequest(query, raw)


def trace_request(params: QueryParams) -> bool:
    """Read `GET /api/v3/traces/{id}`: whether the trace is wanted raw. Times are hints that storage does not need."""
    _read(params, ("startTime", "start_time"), parse_rfc3339, 0)
    _read(params, ("endTime", "end_time"), parse_rfc3339, 0)
    return _read(params, ("rawTraces", "raw_traces"), parse_bool, False)


def span_kind(params: QueryParams) -> str:
    """Return the kind whose operations are wanted, empty for all."""
    return _named(params, ("spanKind", "span_kind"))[0]


def _range(params: QueryParams) -> TimeRange:
    lowest, highest = ("query.startTimeMin", "query.start_time_min"), ("query.startTimeMax", "query.start_time_max")
    if not _named(params, lowest)[0] or not _named(params, highest)[0]:
        raise BadRequest(f"{lowest[0]} and {highest[0]} are required")
    start, end = _read(params, lowest, parse_rfc3339, 0), _read(params, highest, parse_rfc3339, 0)
    if start >= end:
        raise BadRequest(f"{lowest[0]} must be before {highest[0]}")
    return TimeRange(min(max(start, 0), _LATEST), min(max(end, 0), _LATEST) + 1)


def _named(params: QueryParams, names: tuple[str, ...]) -> tuple[str, str]:
    """Return the value and the name it was given under; the last name when it is missing."""
    for name in names:
        if text := first(params, name):
            return text, name
    return "", names[-1]


def _read(params: QueryParams, names: tuple[str, ...], parse: Callable[[str], _T], default: _T) -> _T:
    text, name = _named(params, names)
    if not text:
        return default
    try:
        return parse(text)
    except GoError as error:
        raise BadRequest(f"malformed parameter {name}: {error}") from error
