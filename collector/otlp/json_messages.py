"""Encoders from parsed OTLP/JSON objects to protobuf messages, built from the OTLP descriptors.

There is one for each message and depth: new fields need no code, and the depth limit costs nothing at run time.
"""

from collections.abc import Callable

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from collector.otlp import json_fields as fields
from collector.otlp.json_fields import Encoder, FieldError, kind_of

MAX_MESSAGE_DEPTH = 100  # the default of protobuf's own parsers: what is deeper could not be read back
MAX_KNOWN_KEYS = 10_000
MAX_KNOWN_KEY_BYTES = 256
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


def message_encoder(descriptor: Descriptor) -> Encoder:
    """Return a function from a JSON object to the serialised message. It raises FieldError."""
    return _message(descriptor, 1, {})


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
        if field.message_type is KeyValue.DESCRIPTOR and depth + 2 <= MAX_MESSAGE_DEPTH:
            return _key_values(field.number, payload)
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


class _Keys(dict[str, bytes]):
    """Attribute keys on the wire; telemetry repeats a few of them without end."""

    _encode = staticmethod(fields.string(KeyValue.KEY_FIELD_NUMBER, explicit=False))

    def __missing__(self, key: str) -> bytes:
        raw = self._encode(key)
        if len(self) < MAX_KNOWN_KEYS and len(raw) < MAX_KNOWN_KEY_BYTES:
            self[key] = raw
        return raw


_KEYS = _Keys()


def _key_values(number: int, payload: Encoder) -> Encoder:
    """Encode a list of KeyValue. They are most of every request: a key with a scalar goes without the usual calls.

    Whatever has another shape, or is wrong, goes to `payload`. Nested values always do: trying them twice at every
    level would take exponential time.
    """
    members = {field.json_name: _scalar(field) for field in AnyValue.DESCRIPTOR.fields if field.message_type is None}
    prefixes, value_prefixes = fields.Prefixes(number), fields.Prefixes(KeyValue.VALUE_FIELD_NUMBER)

    def encode(value: object) -> bytes:
        if type(value) is not list:
            raise FieldError(f"expected an array, got {kind_of(value)}")
        parts: list[bytes] = []
        try:
            for item in value:
                try:
                    ((member, inner),) = item["value"].items()
                    raw = members[member](inner)
                    raw = _KEYS[item["key"]] + value_prefixes[len(raw)] + raw
                    if len(item) != 2:
                        raw = payload(item)
                except (AttributeError, FieldError, KeyError, TypeError, ValueError):
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
        # JavaScript's SDK writes every whole number as intValue, 1e21 too; its protobuf exporters send that as a double
        of_value = field.containing_type is AnyValue.DESCRIPTOR
        beyond = fields.double(AnyValue.DOUBLE_VALUE_FIELD_NUMBER, explicit=True) if of_value else None
        return fields.integer(field.number, explicit, low, high, layout, beyond)
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
