"""Stored tables as rows of Python values: what every exporter that cannot work in columns starts from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise, starmap

import pyarrow as pa

from exporters.columns import Attribute, attributes, lists, values
from exporters.contexts import ResourceContext, ScopeContext, resource_contexts, scope_contexts

_MODULUS = 1 << 64


@dataclass(slots=True)
class EventRow:
    """A span event."""

    time_unix_nano: int
    name: str
    attributes: Sequence[Attribute]
    dropped_attributes_count: int


@dataclass(slots=True)
class LinkRow:
    """A span link; ids are raw bytes of whatever length was sent."""

    trace_id: bytes
    span_id: bytes
    trace_state: str
    attributes: Sequence[Attribute]
    dropped_attributes_count: int
    flags: int


@dataclass(slots=True)
class SpanRow:
    """A span. Owned by whoever read it and may be changed, contexts excepted (they are shared)."""

    trace_id: bytes
    span_id: bytes
    parent_span_id: bytes
    trace_state: str
    flags: int
    name: str
    kind: int
    start_time_unix_nano: int
    duration_ns: int
    status_code: int
    status_message: str
    attributes: Sequence[Attribute]
    dropped_attributes_count: int
    events: list[EventRow]
    dropped_events_count: int
    links: list[LinkRow]
    dropped_links_count: int
    resource: ResourceContext
    scope: ScopeContext
    service_name: str

    @property
    def end_time_unix_nano(self) -> int:
        """The end as it was sent, see `storage.schemas`."""
        return (self.start_time_unix_nano + self.duration_ns) % _MODULUS


@dataclass(slots=True)
class LogRow:
    """A log record. `body` and `body_type` as in `storage.schemas`: the type is empty when there is no body."""

    event_time_unix_nano: int
    time_unix_nano: int
    observed_time_unix_nano: int
    trace_id: bytes
    span_id: bytes
    flags: int
    severity_number: int
    severity_text: str
    event_name: str
    body: bytes
    body_type: str
    attributes: Sequence[Attribute]
    dropped_attributes_count: int
    resource: ResourceContext
    scope: ScopeContext
    service_name: str


def read_spans(table: pa.Table) -> list[SpanRow]:
    """Return the rows of a spans table (all columns of SPANS but `day` are needed), in its order."""
    flat = (
        "trace_id",
        "span_id",
        "parent_span_id",
        "trace_state",
        "flags",
        "name",
        "kind",
        "start_time_unix_nano",
        "duration_ns",
        "status_code",
        "status_message",
    )
    return list(
        starmap(
            SpanRow,
            zip(
                *(values(table[name]) for name in flat),
                attributes(table["attributes"], table["attribute_types"]),
                values(table["dropped_attributes_count"]),
                _events(table["events"]),
                values(table["dropped_events_count"]),
                _links(table["links"]),
                values(table["dropped_links_count"]),
                resource_contexts(values(table["resource"])),
                scope_contexts(values(table["scope"])),
                values(table["service_name"]),
                strict=True,
            ),
        )
    )


def read_logs(table: pa.Table) -> list[LogRow]:
    """Return the rows of a logs table (all columns of LOGS but `day` are needed), in its order."""
    flat = (
        "event_time_unix_nano",
        "time_unix_nano",
        "observed_time_unix_nano",
        "trace_id",
        "span_id",
        "flags",
        "severity_number",
        "severity_text",
        "event_name",
        "body",
        "body_type",
    )
    return list(
        starmap(
            LogRow,
            zip(
                *(values(table[name]) for name in flat),
                attributes(table["attributes"], table["attribute_types"]),
                values(table["dropped_attributes_count"]),
                resource_contexts(values(table["resource"])),
                scope_contexts(values(table["scope"])),
                values(table["service_name"]),
                strict=True,
            ),
        )
    )


def by_trace(rows: Sequence[SpanRow]) -> Iterator[list[SpanRow]]:
    """Yield runs of rows with the same trace id: whole traces, when rows are grouped as `get_traces` answers them."""
    for _, run in groupby(rows, key=lambda row: row.trace_id):
        yield list(run)


def _events(column: pa.ChunkedArray) -> list[list[EventRow]]:
    bounds, structs = lists(column)
    if len(structs) == 0:
        return [[] for _ in range(len(column))]
    times, names, maps, types, dropped = structs.flatten()
    rows = list(
        starmap(EventRow, zip(values(times), values(names), attributes(maps, types), values(dropped), strict=True))
    )
    return [rows[start:end] for start, end in pairwise(bounds)]


def _links(column: pa.ChunkedArray) -> list[list[LinkRow]]:
    bounds, structs = lists(column)
    if len(structs) == 0:
        return [[] for _ in range(len(column))]
    trace_ids, span_ids, states, maps, types, dropped, flags = structs.flatten()
    tags = attributes(maps, types)
    flat = (values(trace_ids), values(span_ids), values(states), tags, values(dropped), values(flags))
    rows = list(starmap(LinkRow, zip(*flat, strict=True)))
    return [rows[start:end] for start, end in pairwise(bounds)]
