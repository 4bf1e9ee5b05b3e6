"""Query parameters of the v1 API.

Source: jaeger v2.20.0 `jaegerquery/internal/query_parser.go`; error texts are its.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import orjson
from starlette.datastructures import QueryParams

from collector.query.jaeger.errors import BadRequest
from collector.query.jaeger.go_values import GoError, parse_bool, parse_duration, parse_float, parse_int
from collector.query.parse.bounds import MAX_CONDITIONS
from collector.query.parse.enums import KINDS
from exporters.jaeger.ids import InvalidTraceId, parse_hex_trace_id
from exporters.jaeger.search import tags_filter
from exporters.jaeger.span_metrics import MAX_POINTS, MetricsRange
from storage.queries import TimeRange, TraceQuery

_US, _MS, _S = 10**3, 10**6, 10**9
_SEARCH_LOOKBACK_NS = 48 * 3600 * _S
_DEFAULT_LIMIT = 100
_LATEST = 2**64 - 1
_END_OF_9999 = 253_402_300_799 * _S  # the last second that RFC 3339 can name
_SERVER = 2
_JSON_KINDS = {bool: "bool", int: "number", float: "number", str: "string", list: "array", dict: "object"}

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class TraceRequest:
    """`GET /api/traces`: traces by id when there are `ids`, else a search."""

    ids: tuple[bytes, ...]
    query: TraceQuery
    raw: bool


def first(params: QueryParams, name: str) -> str:
    """Return a parameter's first value, empty when it is missing."""
    values = params.getlist(name)
    return values[0] if values else ""


def read(params: QueryParams, name: str, parse: Callable[[str], _T], default: _T) -> _T:
    """Return a parameter, or the default when it is missing or empty."""
    text = first(params, name)
    if not text:
        return default
    try:
        return parse(text)
    except GoError as error:
        raise BadRequest(f"unable to parse param '{name}': {error}") from error


def read_bool(params: QueryParams, name: str) -> bool:
    """Return a flag, False when it is missing."""
    return read(params, name, parse_bool, False)


def read_time(params: QueryParams, name: str, unit_ns: int, default: int) -> int:
    """Return a count of units since the epoch as nanoseconds, kept within what can be stored."""
    return min(max(read(params, name, lambda text: parse_int(text) * unit_ns, default), 0), _LATEST)


def trace_request(params: QueryParams, now_unix_nano: int, max_traces: int) -> TraceRequest:
    """Read `GET /api/traces`. The end counts as within."""
    start = read_time(params, "start", _US, now_unix_nano - _SEARCH_LOOKBACK_NS)
    end = read_time(params, "end", _US, now_unix_nano)
    tags = _tags(params)
    limit = _limit(params)
    shortest = read(params, "minDuration", parse_duration, 0)
    longest = read(params, "maxDuration", parse_duration, 0)
    ids = tuple(_trace_id(text) for text in params.getlist("traceID"))
    raw = read_bool(params, "raw")
    service = first(params, "service")
    if not ids and not service:
        raise BadRequest("parameter 'service' is required")
    if shortest and longest and longest < shortest:
        raise BadRequest("'maxDuration' should be greater than 'minDuration'")
    return TraceRequest(
        ids=ids,
        query=TraceQuery(
            time=TimeRange(start, end + 1),
            service_name=service or None,
            span_name=first(params, "operation") or None,
            filter=tags_filter(tags),
            duration_min_ns=shortest or None,
            duration_max_ns=longest or None,
            limit=search_depth(limit, max_traces),
        ),
        raw=raw,
    )


def search_depth(asked: int, max_traces: int) -> int:
    """Return how many traces to look for. Raises: BadRequest when none are asked for."""
    if asked <= 0:
        raise BadRequest("search depth must be greater than 0 and less than max traces")
    return min(asked, max_traces)


def dependencies_request(params: QueryParams, now_unix_nano: int) -> tuple[TimeRange, str]:
    """Read `GET /api/dependencies`: the range, and the service that one side must be (empty: any)."""
    end = read_time(params, "endTs", _MS, now_unix_nano)
    lookback = read(params, "lookback", parse_int, 24 * 3600 * 1000) * _MS
    return TimeRange(min(max(end - lookback, 0), end), end), first(params, "service")


def quantile(params: QueryParams) -> float:
    """Read the required `quantile`."""
    text = first(params, "quantile")
    try:
        value = parse_float(text)
    except GoError as error:
        raise BadRequest(f"unable to parse param 'quantile': {error}") from error
    if not 0 <= value <= 1:
        raise BadRequest("unable to parse param 'quantile': it must be between 0 and 1")
    return value


def metrics_request(params: QueryParams, now_unix_nano: int) -> MetricsRange:
    """Read `GET /api/metrics/*`; times and lengths are milliseconds."""
    services = params.getlist("service")
    if not services:
        raise BadRequest("unable to parse param 'service': please provide at least one service name")
    asked = MetricsRange(
        services=tuple(services),
        by_operation=read_bool(params, "groupByOperation"),
        kinds=_kinds(params.getlist("spanKind")),
        end_unix_nano=min(read_time(params, "endTs", _MS, now_unix_nano), _END_OF_9999),
        lookback_ns=_length(params, "lookback", 3600 * 1000),
        step_ns=_length(params, "step", 5 * 1000),
        rate_per_ns=_length(params, "ratePer", 600 * 1000),
    )
    if asked.point_count > MAX_POINTS:
        raise BadRequest(f"unable to parse param 'step': more than {MAX_POINTS} points; make it longer")
    if asked.fine_step_ns > asked.rate_per_ns:
        raise BadRequest("unable to parse param 'ratePer': too short for this lookback; make it longer")
    return asked


def _length(params: QueryParams, name: str, default_ms: int) -> int:
    length = read(params, name, parse_int, default_ms) * _MS
    if length <= 0:
        raise BadRequest(f"unable to parse param '{name}': it must be positive")
    return length


def _kinds(names: Sequence[str]) -> tuple[int, ...]:
    for name in names:
        if name.lower() not in KINDS:
            raise BadRequest(f"unable to parse param 'spanKind': unsupported span kind: '{name}'")
    return tuple(KINDS.index(name.lower()) for name in names) or (_SERVER,)


def _limit(params: QueryParams) -> int:
    text = first(params, "limit")
    try:
        return parse_int(text, bits=32) if text else _DEFAULT_LIMIT
    except GoError as error:
        raise BadRequest(str(error)) from error


def _trace_id(text: str) -> bytes:
    try:
        return parse_hex_trace_id(text)
    except InvalidTraceId as error:
        raise BadRequest(f"cannot parse traceID param: {error}") from error


def _tags(params: QueryParams) -> dict[str, str]:
    tags: dict[str, str] = {}
    for text in params.getlist("tag"):
        key, colon, value = text.partition(":")
        if not colon:
            raise BadRequest(f"malformed 'tag' parameter, expecting key:value, received: {text}")
        tags[key] = value
    for text in params.getlist("tags"):
        try:
            tags |= text_map(text)
        except GoError as error:
            raise BadRequest(f"malformed 'tags' parameter, cannot unmarshal JSON: {error}") from error
    return bounded(tags)


def bounded(tags: dict[str, str]) -> dict[str, str]:
    """Return the tags of a search. Raises: BadRequest when there are too many: each is looked for in five places."""
    if len(tags) > MAX_CONDITIONS:
        raise BadRequest(f"more than {MAX_CONDITIONS} tags")
    return tags


def text_map(text: str) -> dict[str, str]:
    """Read a JSON object of strings (null counts as empty). Raises: GoError."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise GoError(str(error)) from error
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise GoError(f"json: cannot unmarshal {_JSON_KINDS[type(value)]} into Go value of type map[string]string")
    for item in value.values():
        if item is not None and not isinstance(item, str):
            raise GoError(f"json: cannot unmarshal {_JSON_KINDS[type(item)]} into Go value of type string")
    return {key: item or "" for key, item in value.items()}
