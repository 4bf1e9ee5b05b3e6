"""OTLP/JSON export requests to serialised protobuf, so that both encodings take one path through the pipeline.

The encoders are built from the OTLP descriptors once, one set for each message and depth: new fields need no code and
the depth limit costs nothing at run time. Names are accepted in lowerCamelCase and snake_case, unknown ones ignored;
null is the default. A repeated JSON key: the last one counts, as in most JSON parsers.
"""

import json as stdlib_json
from collections.abc import Callable
from typing import Any

import orjson
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.errors import Rejected
from collector.otlp import json_fields as fields
from collector.otlp.json_fields import Encoder, FieldError, kind_of
from storage.api import Signal

MAX_MESSAGE_DEPTH = 100  # the default of protobuf's own parsers: what is deeper could not be read back
_HEX_FIELDS = frozenset({"trace_id", "span_id", "parent_span_id"})
_INT32, _UINT32 = (-(2**31), 2**31 - 1), (0, 2**32 - 1)
_INT64, _UINT64 = (-(2**63), 2**63 - 1), (0, 2**64 - 1)
_INTEGERS = {
    FieldDescriptor.TYPE_INT32: (*_INT32, ""),
    FieldDescriptor.TYPE_UINT32: (*_UINT32, ""),
    FieldDescriptor.TYPE_INT64: (*_INT64, ""),
    FieldDescriptor.TYPE_UINT64: (*_UINT64, ""),
    FieldDescriptor.TYPE_FIXED32: (*_UINT32, "<I"),
    FieldDescriptor.TYPE_FIXED64: (*_UINT64, "<Q"),
    FieldDescriptor.TYPE_SFIXED32: (*_INT32, "<i"),
    FieldDescriptor.TYPE_SFIXED64: (*_INT64, "<q"),
}
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
    Source: OTLP specification, "JSON Protobuf Encoding"; contract: tests/unit/test_otlp_json.py.
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
        self.problem = problem


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


def _message(descriptor: Descriptor, depth: int, known: dict[tuple[str, int], Encoder]) -> Encoder:
    """Return a function from a JSON object to the payload of a message at a depth (1 is the request)."""
    key = (descriptor.full_name, depth)
    if key not in known:
        encoders: dict[str, Encoder] = {}
        known[key] = _payload(encoders) if depth <= MAX_MESSAGE_DEPTH else _too_deep
        if depth <= MAX_MESSAGE_DEPTH:
            for field in descriptor.fields:
                encoders[field.json_name] = encoders[field.name] = _field(field, depth, known)
    return known[key]


def _too_deep(_: object) -> bytes:
    raise FieldError(f"nested deeper than {MAX_MESSAGE_DEPTH} messages")


def _payload(encoders: dict[str, Encoder]) -> Encoder:
    find = encoders.get

    def encode(value: object) -> bytes:
        if type(value) is not dict:
            raise FieldError(f"expected an object, got {kind_of(value)}")
        parts = []
        key = ""
        try:
            for key, item in value.items():
                encoder = find(key)
                if encoder is not None and item is not None:
                    parts.append(encoder(item))
        except FieldError as error:
            error.path.append(f".{key}")
            raise
        return b"".join(parts)

    return encode


def _field(field: FieldDescriptor, depth: int, known: dict[tuple[str, int], Encoder]) -> Encoder:
    if field.message_type is not None:
        payload = _message(field.message_type, depth + 1, known)
        return _submessages(field.number, payload) if field.is_repeated else _submessage(field.number, payload)
    if field.is_repeated:
        if field.type != FieldDescriptor.TYPE_STRING:
            raise NotImplementedError(f"{field.full_name}: no trace or log message has a packed field")
        return _strings(field.number)
    return _scalar(field)


def _submessage(number: int, payload: Encoder) -> Encoder:
    prefixes = fields.Prefixes(number)

    def encode(value: object) -> bytes:
        raw = payload(value)
        return prefixes[len(raw)] + raw

    return encode


def _submessages(number: int, payload: Encoder) -> Encoder:
    """Encode a list of messages; null counts as an empty one, because leaving it out would shift its neighbours."""
    prefixes = fields.Prefixes(number)

    def encode(value: object) -> bytes:
        if type(value) is not list:
            raise FieldError(f"expected an array, got {kind_of(value)}")
        parts: list[bytes] = []
        try:
            for item in value:
                raw = payload(item) if item is not None else b""
                parts += prefixes[len(raw)], raw
        except FieldError as error:
            error.path.append(f"[{len(parts) // 2}]")
            raise
        return b"".join(parts)

    return encode


def _strings(number: int) -> Encoder:
    encode_one = fields.string(number, True)

    def encode(value: object) -> bytes:
        if type(value) is not list:
            raise FieldError(f"expected an array, got {kind_of(value)}")
        return b"".join([encode_one("" if item is None else item) for item in value])

    return encode


def _scalar(field: FieldDescriptor) -> Encoder:
    explicit = field.has_presence
    if field.type in _INTEGERS:
        low, high, layout = _INTEGERS[field.type]
        return fields.integer(field.number, explicit, low, high, layout)
    if field.enum_type is not None:
        names = {value.name: value.number for value in field.enum_type.values}
        return fields.enum(field.number, explicit, names)
    if field.type == FieldDescriptor.TYPE_BYTES and field.name in _HEX_FIELDS:
        return fields.hex_id(field.number)
    makers: dict[int, Callable[[int, bool], Encoder]] = {
        FieldDescriptor.TYPE_STRING: fields.string,
        FieldDescriptor.TYPE_BYTES: fields.base64_bytes,
        FieldDescriptor.TYPE_BOOL: fields.boolean,
        FieldDescriptor.TYPE_DOUBLE: fields.double,
    }
    return makers[field.type](field.number, explicit)


_KNOWN: dict[tuple[str, int], Encoder] = {}
_REQUESTS = {
    Signal.TRACES: _message(ExportTraceServiceRequest.DESCRIPTOR, 1, _KNOWN),
    Signal.LOGS: _message(ExportLogsServiceRequest.DESCRIPTOR, 1, _KNOWN),
}
