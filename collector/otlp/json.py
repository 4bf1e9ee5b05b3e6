"""OTLP/JSON export requests to serialised protobuf, so that both encodings take one path through the pipeline.

Names are accepted in lowerCamelCase and snake_case, unknown ones ignored; null is the default. A repeated JSON key: the
last one counts, as in most JSON parsers.
"""

import json as stdlib_json
from typing import Any

import orjson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.errors import Rejected
from collector.otlp.json_fields import FieldError, kind_of
from collector.otlp.json_messages import message_encoder
from storage.queries import Signal

_SIGNAL_OF_KEY = {
    "resourceSpans": "traces",
    "resource_spans": "traces",
    "resourceLogs": "logs",
    "resource_logs": "logs",
    "resourceMetrics": "metrics",
    "resource_metrics": "metrics",
}


def to_protobuf(signal: Signal, body: bytes) -> bytes:
    """Return the serialised Export{Trace,Logs}ServiceRequest that an OTLP/JSON body means.

    Ids that are no hex become bytes that validation rejects item by item. Invalid UTF-8 and unpaired surrogates are
    replaced by U+FFFD.
    Raises: Rejected "malformed", naming the path of the field, or "wrong_signal".
    Source: OTLP specification, "JSON Protobuf Encoding"; contract: tests/unit/otlp_json/.
    """
    document = parse(body)
    _check_signal(signal, document)
    try:
        return _REQUESTS[signal](document)
    except FieldError as error:
        where = error.where()
        raise MalformedField(where, str(error)) from None


class MalformedField(Rejected):
    """A field of the request has a value it cannot hold. `field` is its JSON path."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__("malformed", f"{field or 'request'}: {problem}")
        self.field = field


def parse(body: bytes) -> dict[str, Any]:
    """Return the JSON object in a body; text that is not quite Unicode is repaired.

    Raises: Rejected "malformed".
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = _parse_leniently(body)
    if type(document) is not dict:
        raise Rejected("malformed", f"request: expected an object, got {kind_of(document)}")
    return document


def _parse_leniently(body: bytes) -> object:
    """Parse what orjson refuses for its Unicode: invalid UTF-8, unpaired surrogate escapes, a byte order mark."""
    try:
        return stdlib_json.loads(body.decode("utf-8-sig", "replace"), parse_constant=_refuse_constant)
    except RecursionError:
        raise Rejected("malformed", "JSON is nested too deeply") from None
    except ValueError as error:
        raise Rejected("malformed", f"not JSON: {error}") from None


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} must be written as a string")


def _check_signal(signal: Signal, document: dict[str, Any]) -> None:
    """Refuse a document that holds only another signal: by the rule of unknown fields it would vanish silently."""
    found = {_SIGNAL_OF_KEY[key] for key in document if key in _SIGNAL_OF_KEY}
    if found and signal.value not in found:
        other = min(found)
        raise Rejected("wrong_signal", f"this is a {other} request; send it to /v1/{other}, not /v1/{signal.value}")


_REQUESTS = {
    Signal.TRACES: message_encoder(ExportTraceServiceRequest.DESCRIPTOR),
    Signal.LOGS: message_encoder(ExportLogsServiceRequest.DESCRIPTOR),
}
