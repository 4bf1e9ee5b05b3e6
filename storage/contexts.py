"""What engines index of a context: the attributes (and names) inside the `resource` and `scope` columns.

The columns hold serialised envelopes (see `storage.schemas`); they are returned as they are. Only what searches look at
is taken out here, once for each distinct context.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
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
        text, letter = value_text(pair.value) if pair.HasField("value") else (b"", letters.ABSENT)
        entries.append((pair.key, text))
        types.append(letter)
    return tuple(entries), "".join(types)


def value_text(value: AnyValue) -> tuple[bytes, str]:  # noqa: PLR0911  one return a member
    """Return the text and the type letter of a value, as `storage.attributes` defines them."""
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value.encode(), letters.STRING
        case "int_value":
            return str(value.int_value).encode(), letters.INT
        case "double_value":
            return double_text(value.double_value).encode(), letters.DOUBLE
        case "bool_value":
            return (b"true" if value.bool_value else b"false"), letters.BOOL
        case "array_value":
            return value.array_value.SerializeToString(), letters.ARRAY
        case "kvlist_value":
            return value.kvlist_value.SerializeToString(), letters.KVLIST
        case "bytes_value":
            return value.bytes_value, letters.BYTES
        case _:
            return b"", letters.EMPTY


def double_text(value: float) -> str:
    """Return the text Arrow gives a double (1.0 is `1`), so that contexts and items compare alike."""
    return str(pa.scalar(value, pa.float64()).cast(pa.string()).as_py())
