"""Attributes as Jaeger's typed key-value tags.

Source: jaeger `internal/uimodel/converter/v1/json/from_domain.go`, collector-contrib `pkg/translator/jaeger`.
"""

from base64 import b64encode
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, TypeAlias

import orjson

from exporters.columns import Attribute
from exporters.otlp.json_values import double_json
from storage.attributes import ABSENT, ARRAY, BOOL, BYTES, DOUBLE, EMPTY, INT, KVLIST, STRING, Value, decode

Tag: TypeAlias = "dict[str, Any]"

_LARGEST_EXACT = 2**53 - 1  # what a JavaScript number holds
_SMALLEST, _LARGEST = 1e-6, 1e21  # doubles within are written without an exponent in nested values


def tags(attributes: Sequence[Attribute]) -> list[Tag]:
    """Return one tag per attribute, in order."""
    return [
        {"key": key, "type": "string", "value": value} if letter == STRING else _OTHERS[letter](key, value)
        for key, letter, value in attributes
    ]


def string_tag(key: str, value: str) -> Tag:
    """Return a tag of type string."""
    return {"key": key, "type": "string", "value": value}


def bool_tag(key: str, value: bool) -> Tag:
    """Return a tag of type bool."""
    return {"key": key, "type": "bool", "value": value}


def float_tag(key: str, value: float) -> Tag:
    """Return a tag of type float64; NaN and infinities, which Jaeger cannot send at all, become strings."""
    return {"key": key, "type": "float64", "value": double_json(value)}


def _int_tag(key: str, text: str) -> Tag:
    number = int(text)
    exact = -_LARGEST_EXACT <= number <= _LARGEST_EXACT
    return {"key": key, "type": "int64", "value": number if exact else text}


def _nested_tag(letter: str) -> Callable[[str, Any], Tag]:
    return lambda key, raw: string_tag(key, _json_text(decode(letter, raw)))


def _json_text(value: Value) -> str:
    if isinstance(value, bytes):  # undecodable nested bytes
        return b64encode(value).decode()
    text = orjson.dumps(_plain(value), option=orjson.OPT_SORT_KEYS).decode()
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _plain(value: Value) -> Any:
    """Return what Go's JSON encoder would write: bytes in base64, doubles in as many digits as they need."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, float):
        return _digits(value) if _SMALLEST <= abs(value) < _LARGEST or value == 0 else double_json(value)
    return value


def _digits(value: float) -> orjson.Fragment:
    """Return a double without an exponent, and a whole one without a point: its shortest decimal, as Go writes it."""
    return orjson.Fragment(f"{Decimal(repr(value)):f}".removesuffix(".0"))


_OTHERS: dict[str, Callable[[str, Any], Tag]] = {
    INT: _int_tag,
    DOUBLE: lambda key, text: float_tag(key, float(text)),
    BOOL: lambda key, text: bool_tag(key, text == "true"),
    BYTES: lambda key, raw: {"key": key, "type": "binary", "value": b64encode(raw).decode()},
    ARRAY: _nested_tag(ARRAY),
    KVLIST: _nested_tag(KVLIST),
    EMPTY: lambda key, _: string_tag(key, ""),
    ABSENT: lambda key, _: string_tag(key, ""),
}
