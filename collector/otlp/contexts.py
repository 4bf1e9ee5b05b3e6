"""Resource and scope contexts: the serialised envelopes that many items share, each decoded and checked once.

A context is a `ResourceSpans`/`ResourceLogs` with only `resource` and `schema_url`, or a `ScopeSpans`/`ScopeLogs` with
only `scope` and `schema_url` (fields 1 and 3 in all four).
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from collector.otlp.generated import otlp_lenient_pb2 as lenient

# What Jaeger's sanitizer writes when a resource has no usable service.name.
MISSING_SERVICE_NAME = "missing-service-name"
EMPTY_SERVICE_NAME = "empty-service-name"
SERVICE_NAME_WRONG_TYPE = "service-name-wrong-type"

_CACHE_ENTRIES = 8192


@dataclass(frozen=True, slots=True)
class Context:
    """A checked envelope: its bytes (strings repaired) and, for a resource, the service name to show."""

    serialized: bytes
    service_name: str


_Cache = OrderedDict[tuple[bytes, bytes], Context | None]


class Contexts:
    """Checks envelopes, with a bounded cache by (message, schema URL). For one thread at a time."""

    def __init__(self) -> None:
        self._resources: _Cache = OrderedDict()
        self._scopes: _Cache = OrderedDict()

    def resource(self, message: bytes, schema_url: bytes) -> Context | None:
        """Return the context of a serialised Resource, or None when it is malformed."""
        return _cached(self._resources, (message, schema_url), _resource_context)

    def scope(self, message: bytes, schema_url: bytes) -> Context | None:
        """Return the context of a serialised InstrumentationScope, or None when it is malformed."""
        return _cached(self._scopes, (message, schema_url), _scope_context)


def _cached(cache: _Cache, key: tuple[bytes, bytes], make: Callable[[bytes, bytes], Context | None]) -> Context | None:
    try:
        return cache[key]
    except KeyError:
        value = cache[key] = make(*key)
        if len(cache) > _CACHE_ENTRIES:
            cache.popitem(last=False)
        return value


def _resource_context(message: bytes, schema_url: bytes) -> Context | None:
    checked = _checked(message, Resource, lenient.Resource)
    if checked is None:
        return None
    return Context(_envelope(checked, schema_url), _service_name(Resource.FromString(checked)))


def _scope_context(message: bytes, schema_url: bytes) -> Context | None:
    checked = _checked(message, InstrumentationScope, lenient.InstrumentationScope)
    return None if checked is None else Context(_envelope(checked, schema_url), "")


def _checked(message: bytes, strict: type[Message], tolerant: type[Message]) -> bytes | None:
    """Return the message as it is when it parses, repaired when only its strings are not UTF-8, None otherwise."""
    try:
        strict.FromString(message)
    except DecodeError:
        try:
            parsed = tolerant.FromString(message)
        except DecodeError:
            return None
        _repair(parsed)
        return parsed.SerializeToString()
    return message


def _repair(message: Message) -> None:
    """Replace what is not UTF-8 in every string of the message, in place."""
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in value if field.is_repeated else (value,):
                _repair(part)
        elif field.type == field.TYPE_BYTES and field.name != "bytes_value":
            if field.is_repeated:
                value[:] = [_utf8(item) for item in value]
            else:
                setattr(message, field.name, _utf8(value))


def _utf8(raw: bytes) -> bytes:
    return raw.decode("utf-8", "replace").encode()


def _service_name(resource: Resource) -> str:
    name = MISSING_SERVICE_NAME
    for attribute in resource.attributes:
        if attribute.key == "service.name":  # duplicate keys: the last one wins
            if attribute.value.WhichOneof("value") != "string_value":
                name = SERVICE_NAME_WRONG_TYPE
            else:
                name = attribute.value.string_value or EMPTY_SERVICE_NAME
    return name


def _envelope(message: bytes, schema_url: bytes) -> bytes:
    parts = []
    if message:
        parts += [b"\x0a", _varint(len(message)), message]
    if schema_url:
        url = _utf8(schema_url)
        parts += [b"\x1a", _varint(len(url)), url]
    return b"".join(parts)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
