"""Which labels a log record has.

Stream labels: `service_name`, `level` (from the severity number: trace, debug, info, warn, error, fatal, unknown), and
the resource's attributes. Everything else is structured metadata: `detected_level` (the same as `level`), `trace_id`,
`span_id`, `severity_text`, `event_name`, `scope_name`, and the record's attributes. Characters that a label cannot have
become underscores, as in Loki's own OTLP endpoint. Empty labels do not exist.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

import orjson

from collector.query.log_rows import plain
from exporters.columns import Attribute
from exporters.contexts import ResourceContext, once_per_context
from exporters.rows import LogRow
from storage.attributes import ARRAY, BYTES, KVLIST, decode

SERVICE = "service_name"
LEVEL, DETECTED_LEVEL = "level", "detected_level"
UNKNOWN = "unknown"
_LEVELS = ("trace", "debug", "info", "warn", "error", "fatal")
# Name of each level → the first and the last severity number.
SEVERITIES = {name: (index * 4 + 1, index * 4 + 4) for index, name in enumerate(_LEVELS)}
LEVEL_NAMES = (*_LEVELS, UNKNOWN)

_SERVICE_KEY = "service.name"
_NOT_IN_LABELS = re.compile(r"[^A-Za-z0-9_]")

Labels: TypeAlias = dict[str, str]


def label_name(key: str) -> str:
    """Return the label that an attribute key becomes."""
    name = _NOT_IN_LABELS.sub("_", key)
    return f"_{name}" if name[:1].isdigit() else name


def level_of(severity_number: int) -> str:
    """Return the level's name."""
    return _LEVELS[(severity_number - 1) // 4] if 1 <= severity_number <= 24 else UNKNOWN


def stream_labels(row: LogRow) -> Labels:
    """Return the labels of the record's stream."""
    return sender_labels(row.service_name, row.resource) | {LEVEL: level_of(row.severity_number)}


def sender_labels(service_name: str, resource: ResourceContext) -> Labels:
    """Return the labels that all records of a service's resource share."""
    return dict(_resource_labels(resource)) | ({SERVICE: service_name} if service_name else {})


def structured_metadata(row: LogRow) -> Labels:
    """Return the record's other labels."""
    found = _attribute_labels(row.attributes)
    found |= {name: text for name, read in RECORD_LABELS.items() if (text := read(row))}
    found[DETECTED_LEVEL] = level_of(row.severity_number)
    return found


RECORD_LABELS: Mapping[str, Callable[[LogRow], str]] = {
    "trace_id": lambda row: row.trace_id.hex(),
    "span_id": lambda row: row.span_id.hex(),
    "severity_text": lambda row: row.severity_text,
    "event_name": lambda row: row.event_name,
    "scope_name": lambda row: row.scope.name,
}


def line_of(row: LogRow) -> str:
    """Return the record's line: its body's text, a structured body as JSON, else the event's name."""
    if not row.body_type:
        return row.event_name
    body = plain(decode(row.body_type, row.body))
    return body if isinstance(body, str) else orjson.dumps(body).decode()


@once_per_context
def _resource_labels(resource: ResourceContext) -> tuple[tuple[str, str], ...]:
    return tuple(_attribute_labels(each for each in resource.attributes if each[0] != _SERVICE_KEY).items())


def _attribute_labels(attributes: Iterable[Attribute]) -> Labels:
    """Return labels; of keys that become the same label the first counts, an empty key becomes none."""
    found: Labels = {}
    for key, letter, value in attributes:
        text = _text(letter, value)
        if text and key:
            found.setdefault(label_name(key), text)
    return found


def _text(letter: str, value: str | bytes) -> str:
    if letter in {ARRAY, KVLIST} and isinstance(value, bytes):
        return orjson.dumps(plain(decode(letter, value))).decode()
    if letter == BYTES and isinstance(value, bytes):
        return b64encode(value).decode()
    return value if isinstance(value, str) else value.decode("utf-8", "replace")
