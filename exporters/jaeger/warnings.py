"""Warnings about a span: they travel as a span attribute and surface as `warnings` in v1 JSON.

Source: jaeger `internal/jptrace/warning.go`.
"""

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue

from exporters.rows import SpanRow
from storage.attributes import ARRAY, decode

ATTRIBUTE = "@jaeger@warnings"


def add_warning(row: SpanRow, text: str) -> None:
    """Append a warning to the span's attribute, which comes last when it is new."""
    found = [*warnings_of(row), text]
    raw = ArrayValue(values=[AnyValue(string_value=each) for each in found]).SerializeToString()
    attribute = (ATTRIBUTE, ARRAY, raw)
    if any(key == ATTRIBUTE for key, _, _ in row.attributes):
        row.attributes = [attribute if each[0] == ATTRIBUTE else each for each in row.attributes]
    else:
        row.attributes = [*row.attributes, attribute]


def warnings_of(row: SpanRow) -> list[str]:
    """Return the warnings, oldest first; an attribute of another type than array is one warning."""
    for key, letter, value in row.attributes:
        if key == ATTRIBUTE:
            raw = value if isinstance(value, bytes) else value.encode()
            found = decode(letter, raw)
            return (
                [each if isinstance(each, str) else "" for each in found] if isinstance(found, list) else [str(found)]
            )
    return []
