"""What is shown of a found span beside its name and times: the attributes and fields that the query names.

Grafana makes a column of each key and gives it one type, that of some span's value; a value of another type, a nested
one or an empty one ends its answer. So nested values are shown as JSON, bytes as base64, and when values of one key are
not all texts, all numbers or all booleans, all of them as texts. Source: grafana-tempo-datasource 13.1.5
`pkg/tempo/search.go`.
"""

from base64 import b64encode
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import orjson

from collector.query.log_rows import plain
from collector.query.parse.enums import STATUSES, kind_name
from collector.query.tempo.fields import Attribute, Intrinsic
from collector.query.tempo.matching import attributes_at
from exporters import columns
from exporters.jaeger.durations import format_duration
from exporters.otlp.json_values import attributes_json
from exporters.rows import SpanRow
from storage.attributes import BOOL, BYTES, DOUBLE, INT, STRING, decode
from storage.queries import SpanField

Shown: TypeAlias = Attribute | Intrinsic

_KINDS = {INT: "number", DOUBLE: "number", BOOL: "truth"}


def _status(row: SpanRow) -> str:
    return STATUSES[row.status_code] if 0 <= row.status_code < len(STATUSES) else str(row.status_code)


def _since_start(row: SpanRow) -> str | None:
    return format_duration(row.events[0].time_unix_nano - row.start_time_unix_nano) if row.events else None


# Under the keys that Tempo gives them; None: the span has none. Of several events or links, the first.
_FIELDS: dict[SpanField, tuple[str, Callable[[SpanRow], str | None]]] = {
    SpanField.STATUS: ("status", _status),
    SpanField.STATUS_MESSAGE: ("statusMessage", lambda row: row.status_message),
    SpanField.KIND: ("kind", lambda row: kind_name(row.kind)),
    SpanField.SCOPE_NAME: ("instrumentation:name", lambda row: row.scope.name),
    SpanField.SCOPE_VERSION: ("instrumentation:version", lambda row: row.scope.version),
    SpanField.PARENT_SPAN_ID: ("span:parentID", lambda row: row.parent_span_id.hex() or None),
    SpanField.EVENT_NAME: ("event:name", lambda row: row.events[0].name if row.events else None),
    SpanField.EVENT_TIME_SINCE_START: ("event:timeSinceStart", _since_start),
    SpanField.LINK_TRACE_ID: ("link:traceID", lambda row: row.links[0].trace_id.hex() if row.links else None),
    SpanField.LINK_SPAN_ID: ("link:spanID", lambda row: row.links[0].span_id.hex() if row.links else None),
}


def shown_values(row: SpanRow, wanted: Sequence[Shown]) -> list[columns.Attribute]:
    """Return what a span has of what is wanted, each key once; the span's own attribute before its resource's."""
    found: dict[str, columns.Attribute] = {}
    for each in wanted:
        if isinstance(each, Attribute):
            for value in _of_key(row, each):
                found.setdefault(each.key, value)
        elif each.field in _FIELDS:
            key, read = _FIELDS[each.field]
            text = read(row)
            if text is not None:
                found.setdefault(key, (key, STRING, text))
    return list(found.values())


def _of_key(row: SpanRow, wanted: Attribute) -> Iterator[columns.Attribute]:
    for level in wanted.levels:
        for attributes in attributes_at(level, row):
            yield from (each for each in attributes if each[0] == wanted.key)


def mixed_keys(values: Iterable[columns.Attribute]) -> frozenset[str]:
    """Return the keys whose values are not all texts, all numbers or all booleans."""
    kinds: dict[str, set[str]] = defaultdict(set)
    for key, letter, _ in values:
        kinds[key].add(_KINDS.get(letter, "text"))
    return frozenset(key for key, found in kinds.items() if len(found) > 1)


def shown_json(values: Iterable[columns.Attribute], as_texts: frozenset[str]) -> list[dict[str, Any]]:
    """Return values as KeyValue objects; those of `as_texts`, nested and empty ones as texts."""
    return attributes_json(
        [
            (key, STRING, _text(letter, value)) if key in as_texts or letter not in _KINDS else (key, letter, value)
            for key, letter, value in values
        ]
    )


def _text(letter: str, value: str | bytes) -> str:
    if isinstance(value, str):
        return value
    return b64encode(value).decode() if letter == BYTES else orjson.dumps(plain(decode(letter, value))).decode()
