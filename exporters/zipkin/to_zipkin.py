"""OTLP spans as Zipkin v2 JSON.

Attributes become texts, times microseconds. Resource attributes are tags of every span, the span's own win. Status,
scope, trace state and links are tags of the names in `exporters.zipkin.names`; an event is an annotation, its
attributes written behind its name as `name|{json}|dropped`.
"""

import ipaddress
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from exporters.otlp.json_values import any_value_json
from exporters.zipkin import names

_UNKNOWN_SERVICE = "unknown_service"
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_LARGEST_PORT = 65_535


def zipkin_json(body: bytes) -> bytes:
    """Return a serialised ExportTraceServiceRequest as Zipkin's JSON list. Raises: DecodeError."""
    return orjson.dumps(list(_spans(ExportTraceServiceRequest.FromString(body))))


def _spans(request: ExportTraceServiceRequest) -> Iterator[dict[str, Any]]:
    for resource_spans in request.resource_spans:
        shared = texts(resource_spans.resource.attributes)
        service = shared.pop(names.SERVICE_NAME, "") or _UNKNOWN_SERVICE
        for scope_spans in resource_spans.scope_spans:
            scope = _scope_tags(scope_spans.scope)
            for span in scope_spans.spans:
                yield _span(span, service, shared | scope)


def _span(span: Span, service: str, shared: dict[str, str]) -> dict[str, Any]:
    tags = shared | texts(span.attributes) | _derived(span)
    local = {"serviceName": service} | _address(tags, names.LOCAL_IP, names.LOCAL_PORT)
    remote = _address(tags, names.PEER_IP, names.PEER_PORT)
    if peer := tags.pop(names.PEER_SERVICE, ""):
        remote = {"serviceName": peer} | remote
    found: dict[str, Any] = {
        "traceId": span.trace_id.hex(),
        "id": span.span_id.hex(),
        "name": span.name,
        "timestamp": span.start_time_unix_nano // 1000,
        "duration": max(1, (span.end_time_unix_nano - span.start_time_unix_nano) // 1000),
        "localEndpoint": local,
        "annotations": [_annotation(event) for event in span.events],
        "tags": tags,
    }
    if any(span.parent_span_id):
        found["parentId"] = span.parent_span_id.hex()
    if span.kind in names.KINDS:
        found["kind"] = names.KINDS[span.kind]
    if remote:
        found["remoteEndpoint"] = remote
    return found


def texts(attributes: Sequence[KeyValue]) -> dict[str, str]:
    """Return attributes as texts; arrays and maps as JSON."""
    return {pair.key: _text(pair) for pair in attributes}


def _text(pair: KeyValue) -> str:
    member = pair.value.WhichOneof("value")
    if member == "string_value":
        return pair.value.string_value
    if member == "bool_value":
        return "true" if pair.value.bool_value else "false"
    if member is None:
        return ""
    plain = _plain(any_value_json(pair.value))
    return plain if isinstance(plain, str) else orjson.dumps(plain).decode()


def _plain(value: dict[str, Any]) -> Any:
    """Return what an OTLP JSON value means, as plain JSON."""
    if not value:
        return None
    ((member, inner),) = value.items()
    if member == "arrayValue":
        return [_plain(item) for item in inner.get("values", [])]
    if member == "kvlistValue":
        return {pair.get("key", ""): _plain(pair.get("value", {})) for pair in inner.get("values", [])}
    return int(inner) if member == "intValue" else inner


def _scope_tags(scope: InstrumentationScope) -> dict[str, str]:
    named = {names.SCOPE_NAME: scope.name, names.SCOPE_VERSION: scope.version}
    return texts(scope.attributes) | {key: text for key, text in named.items() if text}


def _derived(span: Span) -> dict[str, str]:
    found: dict[str, str] = {}
    if span.status.code == Status.STATUS_CODE_OK:
        found[names.STATUS_CODE] = "OK"
    elif span.status.code == Status.STATUS_CODE_ERROR:
        found[names.STATUS_CODE] = "ERROR"
        found[names.ERROR] = span.status.message or "true"
    if span.status.message:
        found[names.STATUS_DESCRIPTION] = span.status.message
    if span.trace_state:
        found[names.TRACE_STATE] = span.trace_state
    if span.kind == names.INTERNAL:
        found[names.KIND_TAG] = names.INTERNAL_TAG
    for number, link in enumerate(span.links):
        parts = (link.trace_id.hex(), link.span_id.hex(), link.trace_state, _json(link.attributes))
        found[f"{names.LINK_PREFIX}{number}"] = "|".join((*parts, str(link.dropped_attributes_count)))
    return found


def _annotation(event: Span.Event) -> dict[str, Any]:
    value = event.name
    if event.attributes or event.dropped_attributes_count:
        value = f"{event.name}|{_json(event.attributes)}|{event.dropped_attributes_count}"
    return {"timestamp": event.time_unix_nano // 1000, "value": value}


def _json(attributes: Sequence[KeyValue]) -> str:
    return json.dumps({pair.key: _plain(any_value_json(pair.value)) for pair in attributes}, ensure_ascii=False)


def _address(tags: dict[str, str], ip_key: str, port_key: str) -> dict[str, Any]:
    """Take an endpoint's address out of the tags; what is no address or port stays there: receivers refuse those."""
    found: dict[str, Any] = {}
    if version := _ip_version(tags.get(ip_key, "")):
        found[f"ipv{version}"] = tags.pop(ip_key)
    if _PORT.fullmatch(tags.get(port_key, "")) and int(tags[port_key]) <= _LARGEST_PORT:
        found["port"] = int(tags.pop(port_key))
    return found


def _ip_version(text: str) -> int:
    """Return 4 or 6, or 0 when the text is no address."""
    try:
        return ipaddress.ip_address(text).version
    except ValueError:
        return 0
