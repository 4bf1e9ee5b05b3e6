"""Zipkin v2 JSON as OTLP: the inverse of `to_zipkin`, for what any Zipkin client sends."""

import ipaddress
import json
import string
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from exporters.zipkin import names

_KINDS = {text: number for number, text in names.KINDS.items()}
_STATUS = {"OK": Status.STATUS_CODE_OK, "ERROR": Status.STATUS_CODE_ERROR, "UNSET": Status.STATUS_CODE_UNSET}
_HEX = frozenset(string.hexdigits)
_MAX_MICROSECONDS = (2**64 - 1) // 1000
_Place = tuple[tuple[tuple[str, str], ...], tuple[str, str]]  # resource attributes, scope


class MalformedZipkin(ValueError):
    """The body is not a list of Zipkin v2 spans; the message says which span and member."""


def otlp_request(body: bytes, now_unix_nano: int) -> bytes:
    """Return a Zipkin JSON list as a serialised ExportTraceServiceRequest.

    A span without a timestamp starts with its first annotation, else at `now_unix_nano`. Raises: MalformedZipkin.
    """
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedZipkin(f"not JSON: {error}") from error
    if not isinstance(found, list):
        raise MalformedZipkin("expected a JSON list of spans")
    places: dict[_Place, list[Span]] = {}
    for index, each in enumerate(found):
        if not isinstance(each, dict):
            raise MalformedZipkin(f"[{index}]: expected an object")
        try:
            place, span = _span(each, now_unix_nano)
        except (ValueError, OverflowError) as error:
            raise MalformedZipkin(f"[{index}]: {error}") from error
        except (TypeError, AttributeError) as error:
            raise MalformedZipkin(f"[{index}]: a member is not of its type (object, list, text, number)") from error
        places.setdefault(place, []).append(span)
    return _request(places).SerializeToString()


def _request(places: Mapping[_Place, Sequence[Span]]) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    for (resource, (name, version)), spans in places.items():
        added = request.resource_spans.add()
        added.resource.attributes.extend(_texts(dict(resource)))
        scope = InstrumentationScope(name=name, version=version) if name or version else None
        added.scope_spans.add(scope=scope, spans=spans)
    return request


def _span(zipkin: dict[str, Any], now_unix_nano: int) -> tuple[_Place, Span]:
    tags = {str(key): _tag(value) for key, value in (zipkin.get("tags") or {}).items()}
    events = [_event(each) for each in zipkin.get("annotations") or []]
    start = _nanoseconds(zipkin.get("timestamp")) or min((e.time_unix_nano for e in events), default=now_unix_nano)
    place = _place(zipkin.get("localEndpoint") or {}, tags)
    kind = _kind(zipkin, tags)
    status = _status(tags)
    trace_state = tags.pop(names.TRACE_STATE, "")
    links = _links(tags)
    attributes = [*_texts(tags), *_remote(zipkin.get("remoteEndpoint") or {})]
    if zipkin.get("shared"):
        attributes.append(KeyValue(key="zipkin.shared", value=AnyValue(bool_value=True)))
    span = Span(
        trace_id=_id(zipkin, "traceId", 16),
        span_id=_id(zipkin, "id", 8),
        parent_span_id=_id(zipkin, "parentId", 8) if zipkin.get("parentId") else b"",
        trace_state=trace_state,
        name=str(zipkin.get("name") or ""),
        kind=kind,  # type: ignore[arg-type]
        start_time_unix_nano=start,
        end_time_unix_nano=start + _nanoseconds(zipkin.get("duration")),
        attributes=attributes,
        events=events,
        links=links,
        status=status,
    )
    return place, span


def _place(endpoint: dict[str, Any], tags: dict[str, str]) -> _Place:
    resource = {}
    if endpoint.get("serviceName"):
        resource[names.SERVICE_NAME] = str(endpoint["serviceName"])
    for key, text in _address(endpoint, names.LOCAL_IP, names.LOCAL_PORT).items():
        tags.setdefault(key, text)
    name = tags.pop(names.SCOPE_NAME, "") or tags.pop(names.OLD_SCOPE_NAME, "")
    version = tags.pop(names.SCOPE_VERSION, "") or tags.pop(names.OLD_SCOPE_VERSION, "")
    return tuple(resource.items()), (name, version)


def _kind(zipkin: dict[str, Any], tags: dict[str, str]) -> int:
    text = str(zipkin.get("kind") or "").upper()
    if text in _KINDS:
        return _KINDS[text]
    if tags.get(names.KIND_TAG) == names.INTERNAL_TAG:
        del tags[names.KIND_TAG]
        return names.INTERNAL
    return 0


def _status(tags: dict[str, str]) -> Status | None:
    code = _STATUS.get(tags.get(names.STATUS_CODE, ""))
    message = tags.pop(names.STATUS_DESCRIPTION, "")
    if code is not None:
        del tags[names.STATUS_CODE]
        if tags.get(names.ERROR) in {"true", message}:
            del tags[names.ERROR]
        return Status(code=code, message=message)
    if names.ERROR in tags and tags[names.ERROR] != "false":  # how Zipkin itself marks a failed span
        error = tags.pop(names.ERROR)
        return Status(code=Status.STATUS_CODE_ERROR, message=message or ("" if error == "true" else error))
    return Status(message=message) if message else None


def _links(tags: dict[str, str]) -> list[Span.Link]:
    keys = sorted((key for key in tags if key.startswith(names.LINK_PREFIX)), key=lambda key: (len(key), key))
    found = []
    for key in keys:
        link = _link(tags[key])
        if link is not None:
            del tags[key]
            found.append(link)
    return found


def _link(text: str) -> Span.Link | None:
    """Return the link, or None when the tag is somebody else's."""
    try:
        trace_id, span_id, rest = text.split("|", 2)
        state, attributes_and_count = rest.split("|{", 1)
        attributes, dropped = ("{" + attributes_and_count).rsplit("|", 1)
        return Span.Link(
            trace_id=bytes.fromhex(trace_id),
            span_id=bytes.fromhex(span_id),
            trace_state=state,
            attributes=_typed(json.loads(attributes)),
            dropped_attributes_count=int(dropped),
        )
    except (ValueError, RecursionError):
        return None


def _event(annotation: dict[str, Any]) -> Span.Event:
    value = str(annotation.get("value") or "")
    at = _nanoseconds(annotation.get("timestamp"))
    name, brace, rest = value.partition("|{")
    attributes, bar, dropped = ("{" + rest).rpartition("|") if brace else ("", "", "")
    if bar and dropped.isdigit():
        try:
            return Span.Event(
                time_unix_nano=at,
                name=name,
                attributes=_typed(json.loads(attributes)),
                dropped_attributes_count=int(dropped),
            )
        except (ValueError, RecursionError):
            pass  # an annotation that only looks like one of ours
    return Span.Event(time_unix_nano=at, name=value)


def _remote(endpoint: dict[str, Any]) -> list[KeyValue]:
    found = _address(endpoint, names.PEER_IP, names.PEER_PORT)
    if endpoint.get("serviceName"):
        found[names.PEER_SERVICE] = str(endpoint["serviceName"])
    return _texts(found)


def _address(endpoint: dict[str, Any], ip_key: str, port_key: str) -> dict[str, str]:
    found = {}
    ip = endpoint.get("ipv4") or endpoint.get("ipv6")
    if ip:
        found[ip_key] = str(ipaddress.ip_address(str(ip)))
    if endpoint.get("port"):
        if not isinstance(endpoint["port"], int):
            raise ValueError("port: expected a number")
        found[port_key] = str(endpoint["port"])
    return found


def _id(zipkin: dict[str, Any], member: str, size: int) -> bytes:
    text = zipkin.get(member)
    if not isinstance(text, str) or not 1 <= len(text) <= 2 * size or not _HEX.issuperset(text):
        raise ValueError(f"{member}: expected 1 to {2 * size} hexadecimal digits")
    return bytes.fromhex(text.rjust(2 * size, "0"))


def _nanoseconds(microseconds: object) -> int:
    if microseconds is None:
        return 0
    if not isinstance(microseconds, (int, float)) or not 0 <= microseconds <= _MAX_MICROSECONDS:
        raise ValueError("timestamps and durations are microseconds, zero or more")
    return int(microseconds) * 1000


def _tag(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _texts(texts: Mapping[str, str]) -> list[KeyValue]:
    return [KeyValue(key=key, value=AnyValue(string_value=text)) for key, text in texts.items()]


def _typed(values: object) -> list[KeyValue]:
    if not isinstance(values, dict):
        raise ValueError("expected an object of attributes")
    return [KeyValue(key=key, value=_any_value(value)) for key, value in values.items()]


def _any_value(value: object) -> AnyValue:
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case str():
            return AnyValue(string_value=value)
        case None:
            return AnyValue()
        case _:
            return AnyValue(string_value=json.dumps(value))
