"""How an OTLP attribute value is kept: its text, and one letter that says which member of `AnyValue` it was.

| letter | AnyValue member | text |
|---|---|---|
| `s` | string_value | the UTF-8 string |
| `i` | int_value | decimal |
| `d` | double_value | shortest decimal that reads back to the same double; `nan`, `inf`, `-inf` |
| `b` | bool_value | `true` or `false` |
| `a` | array_value | the serialised `ArrayValue` |
| `k` | kvlist_value | the serialised `KeyValueList` |
| `y` | bytes_value | the bytes |
| `e` | an `AnyValue` with no member set | empty |
| `n` | no `AnyValue` at all | empty |

Text, because the same `key = value` search must find 123, 123.0 and "123" alike (Jaeger's rule) and because people read
these columns; nested values stay as they came and are decoded only when somebody reads them.
"""

from collections.abc import Callable
from typing import TypeAlias, cast

from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from storage.nested import parse_array, parse_kvlist

STRING, INT, DOUBLE, BOOL, ARRAY, KVLIST, BYTES, EMPTY, ABSENT = "sidbakyen"

# What `decode` returns: None for an empty or absent value.
Value: TypeAlias = "str | int | float | bool | bytes | list[Value] | dict[str, Value] | None"


def decode(letter: str, raw: bytes) -> Value:
    """Return the value as Python's own types, for readers.

    Strings that are not UTF-8 (possible in nested values only) get U+FFFD; of duplicate keys in a kvlist the last one
    wins; nested bytes that are not the message they should be come back as bytes. Never raises for stored values.
    """
    if letter == STRING:
        return raw.decode("utf-8", "replace")
    return value_of(to_any_value(letter, raw))


def to_any_value(letter: str, raw: bytes) -> AnyValue:
    """Return the OTLP value, lossless; `n` gives an empty one. Undecodable nested bytes become `bytes_value`."""
    return _FROM_TEXT[letter](raw)


def from_any_value(value: AnyValue) -> tuple[str, bytes]:
    """Return (letter, text) of an OTLP value: the inverse of `to_any_value`."""
    member = value.WhichOneof("value")
    if member not in _TO_TEXT:
        return EMPTY, b""
    letter, encode = _TO_TEXT[member]
    return letter, encode(value)


def value_of(value: AnyValue) -> Value:
    """Return an OTLP value as Python's own types, see `decode`."""
    member = value.WhichOneof("value")
    if member == "array_value":
        return [value_of(item) for item in value.array_value.values]
    if member == "kvlist_value":
        return {pair.key: value_of(pair.value) for pair in value.kvlist_value.values}
    return cast(Value, getattr(value, member)) if member and member in _TO_TEXT else None


def _array(raw: bytes) -> AnyValue:
    array = parse_array(raw)
    return AnyValue(bytes_value=raw) if array is None else AnyValue(array_value=array)


def _kvlist(raw: bytes) -> AnyValue:
    kvlist = parse_kvlist(raw)
    return AnyValue(bytes_value=raw) if kvlist is None else AnyValue(kvlist_value=kvlist)


_FROM_TEXT: dict[str, Callable[[bytes], AnyValue]] = {
    STRING: lambda raw: AnyValue(string_value=raw.decode("utf-8", "replace")),
    INT: lambda raw: AnyValue(int_value=int(raw)),
    DOUBLE: lambda raw: AnyValue(double_value=float(raw)),
    BOOL: lambda raw: AnyValue(bool_value=raw == b"true"),
    ARRAY: _array,
    KVLIST: _kvlist,
    BYTES: lambda raw: AnyValue(bytes_value=raw),
    EMPTY: lambda raw: AnyValue(),  # noqa: ARG005
    ABSENT: lambda raw: AnyValue(),  # noqa: ARG005
}

# Keyed by the member's name; a member that only profiles use (a string table index) counts as no value.
_TO_TEXT: dict[str | None, tuple[str, Callable[[AnyValue], bytes]]] = {
    "string_value": (STRING, lambda value: value.string_value.encode()),
    "int_value": (INT, lambda value: str(value.int_value).encode()),
    "double_value": (DOUBLE, lambda value: repr(value.double_value).encode()),
    "bool_value": (BOOL, lambda value: b"true" if value.bool_value else b"false"),
    "array_value": (ARRAY, lambda value: value.array_value.SerializeToString()),
    "kvlist_value": (KVLIST, lambda value: value.kvlist_value.SerializeToString()),
    "bytes_value": (BYTES, lambda value: value.bytes_value),
}
