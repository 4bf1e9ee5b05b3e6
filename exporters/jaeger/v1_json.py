"""Traces in Jaeger's own JSON model (v1), which the UI's trace page and Grafana read.

Times are microseconds. Lost on the way, as in Jaeger: scope attributes, attributes and trace state of links, flags,
schema URLs, dropped counts, time below a microsecond.
Source: jaeger `internal/uimodel`, collector-contrib `pkg/translator/jaeger/traces_to_jaegerproto.go`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa

from exporters.contexts import ResourceContext, ScopeContext, once_per_context
from exporters.jaeger.adjust import adjusted
from exporters.jaeger.ids import span_id_text, trace_id_text
from exporters.jaeger.reading import read_traces
from exporters.jaeger.tags import Tag, bool_tag, string_tag, tags
from exporters.jaeger.transfers import Transfers, transfer_log, transfer_tags
from exporters.jaeger.warnings import ATTRIBUTE as WARNINGS
from exporters.jaeger.warnings import warnings_of
from exporters.rows import EventRow, LinkRow, SpanRow
from storage.attributes import STRING

_KINDS = {1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}
_STATUS_OK, _STATUS_ERROR = 1, 2
# Keys of tags that are derived from fields; an attribute that says the same already must not stand twice.
_DERIVED = frozenset(("span.kind", "error", "otel.status_code", "otel.status_description", "w3c.tracestate"))


@dataclass(frozen=True, slots=True)
class Rendering:
    """How traces are shown.

    `raw` leaves out Jaeger's adjusters. `service_names` False takes the process's name from the resource alone, as
    Jaeger does for spans it never stored. Of a trace with more than `max_spans` (0: no limit) the first are shown.
    """

    raw: bool = False
    max_clock_skew_ns: int = 0
    service_names: bool = True
    max_spans: int = 0


def traces_json(
    spans: pa.Table, rendering: Rendering = Rendering(), transfers: Transfers | None = None
) -> Iterator[tuple[bytes, bytes]]:
    """Yield (trace id, JSON object) for each trace of a spans table whose rows are grouped by trace."""
    for rows in read_traces(spans, rendering.max_spans):
        yield rows[0].trace_id, trace_json(rows, rendering, transfers)


def trace_json(rows: list[SpanRow], rendering: Rendering, transfers: Transfers | None = None) -> bytes:
    """Return one trace as JSON. The rows are used up: adjusters change them."""
    caused: dict[int, Sequence[Mapping[str, Any]]] = {}
    if transfers:
        # By object, because adjusters may give a span another id.
        caused = {id(row): transfers.get((row.trace_id, row.span_id), ()) for row in rows}
    shown = rows if rendering.raw else adjusted(rows, rendering.max_clock_skew_ns)
    trace_id = trace_id_text(rows[0].trace_id)
    processes = _Processes(rendering.service_names)
    spans = []
    for row in shown:
        span = _span(row, trace_id, processes.key(row))
        if transfers and caused[id(row)]:
            span["tags"] += transfer_tags(caused[id(row)])
            span["logs"] += [transfer_log(transfer) for transfer in caused[id(row)]]
        # As text at once: a large trace's tags as objects would be tens of megabytes for the garbage collector.
        spans.append(orjson.Fragment(orjson.dumps(span)))
    return orjson.dumps({"traceID": trace_id, "spans": spans, "processes": processes.by_key, "warnings": None})


class _Processes:
    """The trace's processes, numbered by first appearance; equal ones are one."""

    def __init__(self, service_names: bool) -> None:
        self.by_key: dict[str, orjson.Fragment] = {}
        self._service_names = service_names
        self._keys: dict[tuple[ResourceContext, str], str] = {}
        self._keys_by_content: dict[tuple[str, bytes], str] = {}

    def key(self, row: SpanRow) -> str:
        known = self._keys.get((row.resource, row.service_name))
        return known or self._add(row)

    def _add(self, row: SpanRow) -> str:
        service = row.service_name if self._service_names else _own_service_name(row.resource)
        tags_json = _process_tags(row.resource)
        key = self._keys_by_content.setdefault((service, tags_json), f"p{len(self._keys_by_content) + 1}")
        self._keys[row.resource, row.service_name] = key
        if key not in self.by_key:
            process = {"serviceName": service, "tags": orjson.Fragment(tags_json)}
            self.by_key[key] = orjson.Fragment(orjson.dumps(process))
        return key


@once_per_context
def _process_tags(resource: ResourceContext) -> bytes:
    return orjson.dumps(tags([each for each in resource.attributes if each[0] != "service.name"]))


def _own_service_name(resource: ResourceContext) -> str:
    if not resource.attributes:
        return "OTLPResourceNoServiceName"
    for key, letter, value in resource.attributes:
        if key == "service.name":
            return str(value) if letter == STRING else ""
    return ""


@once_per_context
def _scope_tags(scope: ScopeContext) -> list[Tag]:
    named = (("otel.scope.name", scope.name), ("otel.scope.version", scope.version))
    return [string_tag(key, value) for key, value in named if value]


def _span(row: SpanRow, trace_id: str, process_id: str) -> dict[str, Any]:
    return {
        "traceID": trace_id,
        "spanID": span_id_text(row.span_id),
        "operationName": row.name,
        "references": span_references(row),
        "startTime": row.start_time_unix_nano // 1000,
        "duration": max(0, row.duration_ns) // 1000,
        "tags": span_tags(row),
        "logs": [{"timestamp": event.time_unix_nano // 1000, "fields": log_fields(event)} for event in row.events],
        "processID": process_id,
        "warnings": warnings_of(row) or None,
    }


def span_tags(row: SpanRow) -> list[Tag]:
    """Return the span's tags in Jaeger's order: scope, attributes, then what is derived from fields."""
    keys = {key for key, _, _ in row.attributes}
    own = tags([each for each in row.attributes if each[0] != WARNINGS] if WARNINGS in keys else row.attributes)
    derived = _derived_tags(row)
    if not _DERIVED.isdisjoint(keys):
        derived = [tag for tag in derived if tag not in own]
    return _scope_tags(row.scope) + own + derived


def _derived_tags(row: SpanRow) -> list[Tag]:
    found = []
    if row.kind in _KINDS:
        found.append(string_tag("span.kind", _KINDS[row.kind]))
    if row.status_code == _STATUS_OK:
        found.append(string_tag("otel.status_code", "OK"))
    elif row.status_code == _STATUS_ERROR:
        found.append(string_tag("otel.status_code", "ERROR"))
        found.append(bool_tag("error", True))
    if row.status_message:
        found.append(string_tag("otel.status_description", row.status_message))
    if row.trace_state:
        found.append(string_tag("w3c.tracestate", row.trace_state))
    return found


def span_references(row: SpanRow) -> list[dict[str, str]]:
    """Return the parent, if any, then the links."""
    trace_id = trace_id_text(row.trace_id)
    references = []
    has_parent = any(row.parent_span_id)
    if has_parent:
        parent_id = span_id_text(row.parent_span_id)
        references.append({"refType": "CHILD_OF", "traceID": trace_id, "spanID": parent_id})
    for link in row.links:
        kind = _reference_type(link)
        if has_parent and link.trace_id == row.trace_id and link.span_id == row.parent_span_id:
            # The parent is named already, perhaps with another type.
            references[0]["refType"] = kind
            continue
        reference = {"refType": kind, "traceID": trace_id_text(link.trace_id), "spanID": span_id_text(link.span_id)}
        references.append(reference)
    return references


def _reference_type(link: LinkRow) -> str:
    for key, letter, value in link.attributes:
        if key == "opentracing.ref_type":
            return "CHILD_OF" if letter == STRING and value == "child_of" else "FOLLOWS_FROM"
    return "FOLLOWS_FROM"


def log_fields(event: EventRow) -> list[Tag]:
    """Return an event's fields: its name as `event`, unless an attribute is called so, then its attributes."""
    fields = tags(event.attributes)
    if event.name and all(field["key"] != "event" for field in fields):
        fields.insert(0, string_tag("event", event.name))
    return fields
