"""Log records as rows that a person reads: plain JSON values, RFC 3339 times, hexadecimal ids."""

import base64
import math
from collections.abc import Sequence
from typing import Any

import orjson
import pyarrow as pa

from collector.query.parse.enums import severity_name
from collector.query.parse.times import format_time
from exporters.columns import Attribute
from exporters.rows import LogRow, read_logs
from storage.attributes import Value, decode


def plain_rows(records: pa.Table) -> list[dict[str, Any]]:
    """Return one JSON-ready object per record, in order. Shape: LOGS schema."""
    return [_row(record) for record in read_logs(records)]


def text_line(row: dict[str, Any]) -> str:
    """Return a plain row as one line without its end: time, severity, service, body, attributes, trace id."""
    body = "" if row["body"] is None else row["body"]
    if not isinstance(body, str):
        body = orjson.dumps(body).decode()
    words = [row["time"], (row["severity"] or "-").ljust(5), row["service"] or "-", row["event_name"] or "", body]
    words += [f"{key}={orjson.dumps(value).decode()}" for key, value in row["attributes"].items()]
    words.append(f"trace_id={row['trace_id']}" if row["trace_id"] else "")
    return " ".join(word for word in words if word).translate(_ONE_LINE)


# Records must neither start a new line nor move the cursor of a terminal.
_ONE_LINE = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))} | {
    ord("\n"): "\\n",
    ord("\r"): "\\r",
    ord("\t"): "\\t",
}


def _row(record: LogRow) -> dict[str, Any]:
    severity = severity_name(record.severity_number) or record.severity_text
    return {
        "time": format_time(record.event_time_unix_nano),
        "time_unix_nano": record.event_time_unix_nano,
        "observed_time_unix_nano": record.observed_time_unix_nano,
        "severity": severity,
        "severity_number": record.severity_number,
        "severity_text": record.severity_text,
        "service": record.service_name,
        "body": plain(decode(record.body_type, record.body)) if record.body_type else None,
        "attributes": _object(record.attributes),
        "resource": _object(record.resource.attributes),
        "scope": {
            "name": record.scope.name,
            "version": record.scope.version,
            "attributes": _object(record.scope.attributes),
        },
        "trace_id": record.trace_id.hex() or None,
        "span_id": record.span_id.hex() or None,
        "event_name": record.event_name or None,
    }


def _object(attributes: Sequence[Attribute]) -> dict[str, Any]:
    """Return attributes as one object; of a key that repeats, the first value (a reader's rule in OTLP too)."""
    found: dict[str, Any] = {}
    for key, letter, value in attributes:
        if key not in found:
            found[key] = value if letter == "s" else _typed(letter, value)
    return found


def _typed(letter: str, value: str | bytes) -> Any:
    return plain(decode(letter, value if isinstance(value, bytes) else value.encode()))


def plain(value: Value) -> Any:
    """Return a value that JSON can hold: bytes as base64, NaN and infinities as texts."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float) and not math.isfinite(value):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[repr(value)]
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value
