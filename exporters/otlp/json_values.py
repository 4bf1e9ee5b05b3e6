"""Attribute values as OTLP JSON."""

from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from exporters.columns import Attribute
from storage.attributes import ABSENT, ARRAY, BOOL, BYTES, DOUBLE, EMPTY, INT, KVLIST, STRING, to_any_value


def any_value_json(value: AnyValue) -> dict[str, Any]:
    """Return one OTLP value as the object that stands for it; an empty value is `{}`."""
    member = value.WhichOneof("value")
    return _MEMBERS[member](value) if member in _MEMBERS else {}


def attributes_json(attributes: Sequence[Attribute]) -> list[dict[str, Any]]:
    """Return attributes as a list of KeyValue objects."""
    return [
        {"key": key, "value": {"stringValue": value}} if letter == STRING and key else _key_value(key, letter, value)
        for key, letter, value in attributes
    ]


def double_json(value: float) -> float | str:
    """Return a double as JSON can carry it: proto3's strings for NaN and infinities."""
    if value - value == 0:
        return value
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"  # noqa: PLR0124


def _key_value(key: str, letter: str, value: str | bytes) -> dict[str, Any]:
    pair: dict[str, Any] = {"key": key} if key else {}
    if letter != ABSENT:
        pair["value"] = _LETTERS[letter](value)
    return pair


def _base64(raw: bytes) -> str:
    return b64encode(raw).decode()


def _pair_json(pair: KeyValue) -> dict[str, Any]:
    key: dict[str, Any] = {"key": pair.key} if pair.key else {}
    return key | ({"value": any_value_json(pair.value)} if pair.HasField("value") else {})


def _values_json(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"values": items} if items else {}


_MEMBERS: dict[str | None, Callable[[AnyValue], dict[str, Any]]] = {
    "string_value": lambda value: {"stringValue": value.string_value},
    "int_value": lambda value: {"intValue": str(value.int_value)},
    "double_value": lambda value: {"doubleValue": double_json(value.double_value)},
    "bool_value": lambda value: {"boolValue": value.bool_value},
    "bytes_value": lambda value: {"bytesValue": _base64(value.bytes_value)},
    "array_value": lambda value: {
        "arrayValue": _values_json([any_value_json(each) for each in value.array_value.values])
    },
    "kvlist_value": lambda value: {
        "kvlistValue": _values_json([_pair_json(each) for each in value.kvlist_value.values])
    },
}

_LETTERS: dict[str, Callable[[Any], dict[str, Any]]] = {
    STRING: lambda text: {"stringValue": text},
    INT: lambda text: {"intValue": text},
    DOUBLE: lambda text: {"doubleValue": double_json(float(text))},
    BOOL: lambda text: {"boolValue": text == "true"},
    BYTES: lambda raw: {"bytesValue": _base64(raw)},
    ARRAY: lambda raw: any_value_json(to_any_value(ARRAY, raw)),
    KVLIST: lambda raw: any_value_json(to_any_value(KVLIST, raw)),
    EMPTY: lambda text: {},  # noqa: ARG005
}
