"""Reading attribute values of any type: text, numbers, and the JSON that instrumentations put into strings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from math import isfinite

import orjson

from collector.processors.agent_transfers.model import Attributes, Value

MAX_JSON_CHARS = 200_000
"""Longer texts are whole conversations, not arguments; they are not parsed."""

_NULLS = frozenset({"", "null", "none", "undefined", "nan"})
_STRINGS_IN_JSON = re.compile(r'^\s*["\[{]')


def text(value: Value) -> str:
    """Return a scalar as stripped text; empty for None, JSON null, containers and bytes."""
    if isinstance(value, str):
        stripped = value.strip()
        return "" if stripped.lower() in _NULLS else stripped
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, (int, float)):
        return str(value)
    return ""


def unquoted(value: str) -> str:
    """Return the text inside a JSON string: some SDKs encode every metadata value."""
    if len(value) >= 2 and value[0] == value[-1] == '"':
        inside = parse_json(value)
        return text(inside) if isinstance(inside, str) else value
    return value


def first_text(attributes: Attributes, keys: Iterable[str]) -> str:
    """Return the first non-empty text among `keys`, in their order."""
    for key in keys:
        if key in attributes and (found := text(attributes[key])):
            return found
    return ""


def number(value: Value) -> float | None:
    """Return a finite number given as int, float or numeric text."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, (int, float)) and isfinite(value):
        return float(value)
    return None


def parse_json(value: Value) -> Value:
    """Return containers as they are, JSON text parsed, and None for anything else."""
    if isinstance(value, (dict, list)):
        return value
    if not isinstance(value, str) or len(value) > MAX_JSON_CHARS or not _STRINGS_IN_JSON.match(value):
        return None
    try:
        parsed: Value = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    return parsed


def parse_object(value: Value) -> dict[str, Value]:
    """Return a mapping given as a map value or as JSON text (also JSON inside a JSON string); empty otherwise."""
    parsed = parse_json(value)
    if isinstance(parsed, str):
        parsed = parse_json(parsed)
    return parsed if isinstance(parsed, dict) else {}


def strings(value: Value) -> list[str]:
    """Return the texts of a list given as an array value or as JSON text."""
    parsed = parse_json(value)
    return [item for item in parsed if isinstance(item, str)] if isinstance(parsed, list) else []


def quoted_field(value: str, key: str) -> str:
    """Find `'key': 'x'` or `key='x'` in a repr or in JSON that does not parse (instrumentations cut long texts)."""
    at = 0
    while (at := value.find(key, at)) >= 0:
        at += len(key)
        rest = value[at : at + 260]
        if found := re.match(r"""["']?\s*[:=]\s*(["'])([^"']{1,200})\1""", rest):
            return found.group(2).strip()
    return ""


def quoted_text(value: str, key: str) -> str:
    """Find the text of `'key': 'x'` in a flat mapping's repr, with quotes and line breaks inside it."""
    found = re.search(rf"""["']{re.escape(key)}["']\s*:\s*(?:'((?:[^'\\]|\\.)+)'|"((?:[^"\\]|\\.)+)")""", value)
    if not found or "{" in value[1 : found.start()]:
        return ""
    return (found.group(1) or found.group(2)).replace("\\n", "\n").replace("\\'", "'").strip()


def canonical(value: object) -> bytes:
    """Serialise a value so that equal values give equal bytes; used to order and compare duplicates."""
    return orjson.dumps(_plain(value), option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS, default=str)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return str(value)
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return value
