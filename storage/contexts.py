"""What engines index of a context: the attributes (and names) inside the `resource` and `scope` columns.

The columns hold serialised envelopes (see `storage.schemas`); they are returned as they are. Only what searches look at
is taken out here, once for each distinct context.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans

from storage import attributes as letters


@dataclass(frozen=True, slots=True)
class Context:
    """The searchable part of a resource (`name` and `version` empty) or of an instrumentation scope."""

    attributes: tuple[tuple[str, bytes], ...] = ()
    attribute_types: str = ""
    name: str = ""
    version: str = ""


def resource_context(serialized: bytes) -> Context:
    """Read a resource envelope; one that cannot be parsed has no searchable attributes."""
    try:
        resource = ResourceSpans.FromString(serialized).resource
    except DecodeError:
        return Context()
    return Context(*_attributes(resource.attributes))


def scope_context(serialized: bytes) -> Context:
    """Read a scope envelope; one that cannot be parsed has no searchable attributes."""
    try:
        scope = ScopeSpans.FromString(serialized).scope
    except DecodeError:
        return Context()
    return Context(*_attributes(scope.attributes), scope.name, scope.version)


def _attributes(pairs: Iterable[KeyValue]) -> tuple[tuple[tuple[str, bytes], ...], str]:
    entries, types = [], []
    for pair in pairs:
        letter, text = letters.from_any_value(pair.value) if pair.HasField("value") else (letters.ABSENT, b"")
        entries.append((pair.key, text))
        types.append(letter)
    return tuple(entries), "".join(types)
