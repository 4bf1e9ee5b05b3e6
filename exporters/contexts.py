"""Resource and scope contexts of stored rows, parsed once: many rows share one.

Instances are shared and compared by identity: never change one in place.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, wraps
from typing import TypeVar

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans

from exporters.columns import RAW, Attribute
from storage.attributes import ABSENT, STRING, from_any_value, to_any_value
from storage.nested import is_too_deep

_CACHED = 1024
_AROUND_CONTEXT_VALUE = 3  # the group's envelope, the resource or scope, the attribute
# A context over this size is parsed each time, so that the cache stays within some tens of megabytes at worst.
_LARGEST_CACHED = 8 * 1024

_Context = TypeVar("_Context", "ResourceContext", "ScopeContext")
_Envelope = TypeVar("_Envelope", ResourceSpans, ScopeSpans)
_Rendered = TypeVar("_Rendered")


@dataclass(frozen=True, slots=True, eq=False)
class ResourceContext:
    """A resource with its schema URL. `message` is None when the sender gave no resource.

    `cacheable` when it is small and will be met again, see `once_per_context`.
    """

    message: Resource | None
    schema_url: str
    attributes: tuple[Attribute, ...]
    cacheable: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class ScopeContext:
    """An instrumentation scope with its schema URL. `message` is None when the sender gave no scope.

    `cacheable` when it is small and will be met again, see `once_per_context`.
    """

    message: InstrumentationScope | None
    schema_url: str
    name: str
    version: str
    attributes: tuple[Attribute, ...]
    cacheable: bool = False


def resource_context(raw: bytes) -> ResourceContext:
    """Return the parsed `resource` column value."""
    return _cached_resource(raw) if len(raw) <= _LARGEST_CACHED else _parse_resource(raw)


def scope_context(raw: bytes) -> ScopeContext:
    """Return the parsed `scope` column value."""
    return _cached_scope(raw) if len(raw) <= _LARGEST_CACHED else _parse_scope(raw)


def resource_contexts(raws: Sequence[bytes]) -> list[ResourceContext]:
    """Return the context of each row; equal bytes give the same object."""
    return _shared(raws, resource_context)


def scope_contexts(raws: Sequence[bytes]) -> list[ScopeContext]:
    """Return the context of each row; equal bytes give the same object."""
    return _shared(raws, scope_context)


def with_attributes(context: _Context, attributes: Sequence[Attribute], cacheable: bool) -> _Context:
    """Return a context with other attributes, in the given order."""
    message = Resource() if isinstance(context, ResourceContext) else InstrumentationScope()
    if context.message is not None:
        message.CopyFrom(context.message)
        message.ClearField("attributes")
    message.attributes.extend(key_values(attributes))
    return replace(context, message=message, attributes=tuple(attributes), cacheable=cacheable)


def key_values(attributes: Sequence[Attribute]) -> list[KeyValue]:
    """Return attributes as OTLP messages."""
    return [
        KeyValue(key=key, value=AnyValue(string_value=value))
        if letter == STRING and isinstance(value, str)
        else _key_value(key, letter, value)
        for key, letter, value in attributes
    ]


def _key_value(key: str, letter: str, value: str | bytes) -> KeyValue:
    if letter == ABSENT:
        return KeyValue(key=key)
    return KeyValue(key=key, value=to_any_value(letter, value if isinstance(value, bytes) else value.encode()))


def once_per_context(render: Callable[[_Context], _Rendered]) -> Callable[[_Context], _Rendered]:
    """Keep what `render` makes of the contexts used most recently. Bounded: large contexts are rendered each time."""
    cached = lru_cache(_CACHED)(render)

    @wraps(render)
    def rendered(context: _Context) -> _Rendered:
        return cached(context) if context.cacheable else render(context)

    return rendered


def _shared(raws: Sequence[bytes], parse: Callable[[bytes], _Context]) -> list[_Context]:
    parsed = {raw: parse(raw) for raw in dict.fromkeys(raws)}
    return [parsed[raw] for raw in raws]


def _parse_resource(raw: bytes) -> ResourceContext:
    envelope = _readable(ResourceSpans, raw)
    message = envelope.resource if envelope.HasField("resource") else None
    small = len(raw) <= _LARGEST_CACHED
    return ResourceContext(message, envelope.schema_url, _attributes(envelope.resource.attributes), small)


def _parse_scope(raw: bytes) -> ScopeContext:
    envelope = _readable(ScopeSpans, raw)
    scope = envelope.scope
    message = scope if envelope.HasField("scope") else None
    small = len(raw) <= _LARGEST_CACHED
    tags = _attributes(scope.attributes)
    return ScopeContext(message, envelope.schema_url, scope.name, scope.version, tags, small)


def _readable(kind: type[_Envelope], raw: bytes) -> _Envelope:
    """Parse a context; one that is nested too deep to be parsed counts as empty, so that its spans can be read."""
    try:
        envelope = kind.FromString(raw)
    except DecodeError:
        return kind()
    around = 1 if kind is ResourceSpans else 2
    if is_too_deep(envelope, around):
        context = envelope.resource if isinstance(envelope, ResourceSpans) else envelope.scope
        for pair in context.attributes:
            if is_too_deep(pair.value, around + _AROUND_CONTEXT_VALUE):
                pair.value.bytes_value = from_any_value(pair.value)[1]
    return envelope


_cached_resource = lru_cache(_CACHED)(_parse_resource)
_cached_scope = lru_cache(_CACHED)(_parse_scope)


def _attributes(pairs: Sequence[KeyValue]) -> tuple[Attribute, ...]:
    found: list[Attribute] = []
    for pair in pairs:
        letter, raw = from_any_value(pair.value) if pair.HasField("value") else (ABSENT, b"")
        found.append((pair.key, letter, raw if letter in RAW else raw.decode()))
    return tuple(found)
