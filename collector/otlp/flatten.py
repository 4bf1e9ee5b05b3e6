"""Decoded requests to the flat tables that storage takes: SPANS and LOGS of `storage.schemas`.

Done once per batch, not per request: a call costs about a millisecond whatever its size.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from collector.otlp.any_value import any_values
from collector.otlp.columns import attributes
from collector.otlp.contexts import Contexts
from collector.otlp.decode import Layout, layout
from collector.otlp.texts import as_text
from collector.otlp.validate import spans_sent_as_logs, valid_ids
from storage.queries import Signal
from storage.schemas import EVENT, LINK, LOGS, SPANS

_DAY_NS = 86_400 * 10**9
# An item's own day is used when it lies in this window around its receipt, so that absurd dates make no partitions.
PLAUSIBLE_PAST_NS = 14 * _DAY_NS
PLAUSIBLE_FUTURE_NS = _DAY_NS


@dataclass(frozen=True, slots=True)
class Received:
    """Decoded requests and when each of them (row) arrived, nanoseconds since the epoch."""

    columns: pa.RecordBatch
    times: NDArray[np.uint64]


def flatten(signal: Signal, received: Received, contexts: Contexts) -> pa.Table:
    """Flatten requests into one table; items that `validate` rejects and malformed requests' items are left out."""
    parts = layout(signal, received.columns)
    make = _spans if signal is Signal.TRACES else _logs
    return make(parts, received.times[parts.request_of_item], contexts)


def _spans(parts: Layout, received: NDArray[np.uint64], contexts: Contexts) -> pa.Table:
    spans = parts.items
    start = spans.field("start_time_unix_nano").to_numpy()
    end = spans.field("end_time_unix_nano").to_numpy()
    status = spans.field("status")
    tags, types = attributes(spans.field("attributes"))
    shared = _Shared(parts, contexts)
    keep = valid_ids(spans.field("trace_id"), 16) & valid_ids(spans.field("span_id"), 8) & shared.wellformed
    columns = {
        "trace_id": _fixed(spans.field("trace_id"), 16, keep),
        "span_id": _fixed(spans.field("span_id"), 8, keep),
        "parent_span_id": spans.field("parent_span_id"),
        "trace_state": as_text(spans.field("trace_state")),
        "flags": spans.field("flags"),
        "name": as_text(spans.field("name")).dictionary_encode(),
        "kind": spans.field("kind"),
        "start_time_unix_nano": spans.field("start_time_unix_nano"),
        "duration_ns": pa.array((end - start).view(np.int64)),
        "status_code": pc.fill_null(status.field("code"), 0),
        "status_message": as_text(pc.fill_null(status.field("message"), b"")),
        "attributes": tags,
        "attribute_types": types.dictionary_encode(),
        "dropped_attributes_count": spans.field("dropped_attributes_count"),
        "events": _events(spans.field("events")),
        "dropped_events_count": spans.field("dropped_events_count"),
        "links": _links(spans.field("links")),
        "dropped_links_count": spans.field("dropped_links_count"),
        **shared.columns(),
        "day": _day(start, received),
    }
    return _table(columns, SPANS, keep)


def _logs(parts: Layout, received: NDArray[np.uint64], contexts: Contexts) -> pa.Table:
    logs = parts.items
    time = logs.field("time_unix_nano").to_numpy()
    observed = logs.field("observed_time_unix_nano").to_numpy()
    event_time = np.where(time != 0, time, np.where(observed != 0, observed, received))
    body, body_codes = any_values(logs.field("body"), absent="")
    tags, types = attributes(logs.field("attributes"))
    shared = _Shared(parts, contexts)
    columns = {
        "event_time_unix_nano": pa.array(event_time),
        "time_unix_nano": logs.field("time_unix_nano"),
        "observed_time_unix_nano": logs.field("observed_time_unix_nano"),
        "trace_id": _id_or_empty(logs.field("trace_id"), 16),
        "span_id": _id_or_empty(logs.field("span_id"), 8),
        "flags": logs.field("flags"),
        "severity_number": logs.field("severity_number"),
        "severity_text": as_text(logs.field("severity_text")).dictionary_encode(),
        "event_name": as_text(logs.field("event_name")).dictionary_encode(),
        "body": body,
        "body_type": _letters(body_codes),
        "attributes": tags,
        "attribute_types": types.dictionary_encode(),
        "dropped_attributes_count": logs.field("dropped_attributes_count"),
        **shared.columns(),
        "day": _day(event_time, received),
    }
    return _table(columns, LOGS, shared.wellformed & ~spans_sent_as_logs(logs))


class _Shared:
    """The columns that items inherit from their resource and scope, as dictionaries of the distinct contexts."""

    def __init__(self, parts: Layout, contexts: Contexts) -> None:
        resources, scopes = parts.resources, parts.scopes
        resource_contexts = [
            contexts.resource(message, url)
            for message, url in zip(_list(resources, "resource"), _list(resources, "schema_url"), strict=True)
        ]
        scope_contexts = [
            contexts.scope(message, url)
            for message, url in zip(_list(scopes, "scope"), _list(scopes, "schema_url"), strict=True)
        ]
        scope_of_item = parts.scope_of_item
        resource_of_item = parts.resource_of_scope[scope_of_item]
        wellformed_resource = np.array([context is not None for context in resource_contexts], np.bool_)
        wellformed_scope = np.array([context is not None for context in scope_contexts], np.bool_)
        self.wellformed: NDArray[np.bool_] = wellformed_resource[resource_of_item] & wellformed_scope[scope_of_item]
        self._resource_of_item, self._scope_of_item = resource_of_item, scope_of_item
        self._resources = [context.serialized if context else b"" for context in resource_contexts]
        self._scopes = [context.serialized if context else b"" for context in scope_contexts]
        self._services = [context.service_name if context else "" for context in resource_contexts]

    def columns(self) -> dict[str, pa.DictionaryArray]:
        """Return `resource`, `scope` and `service_name`."""
        return {
            "resource": _distinct(self._resources, self._resource_of_item, pa.binary()),
            "scope": _distinct(self._scopes, self._scope_of_item, pa.binary()),
            "service_name": _distinct(self._services, self._resource_of_item, pa.string()),
        }


def _list(groups: pa.StructArray, field: str) -> list[bytes]:
    values: list[bytes] = groups.field(field).to_pylist()
    return values


def _distinct(values: list[bytes] | list[str], group_of_item: NDArray[np.int64], kind: pa.DataType) -> pa.Array:
    encoded = pa.array(values, kind).dictionary_encode()
    indices = encoded.indices.to_numpy()[group_of_item] if len(values) else np.zeros(0, np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(indices, pa.int32()), encoded.dictionary)


def _events(lists: pa.ListArray) -> pa.ListArray:
    events = lists.flatten()
    tags, types = attributes(events.field("attributes"))
    fields = [
        events.field("time_unix_nano"),
        as_text(events.field("name")),
        tags,
        types,
        events.field("dropped_attributes_count"),
    ]
    return pa.ListArray.from_arrays(lists.offsets, pa.StructArray.from_arrays(fields, fields=list(EVENT)))


def _links(lists: pa.ListArray) -> pa.ListArray:
    links = lists.flatten()
    tags, types = attributes(links.field("attributes"))
    fields = [
        links.field("trace_id"),
        links.field("span_id"),
        as_text(links.field("trace_state")),
        tags,
        types,
        links.field("dropped_attributes_count"),
        links.field("flags"),
    ]
    return pa.ListArray.from_arrays(lists.offsets, pa.StructArray.from_arrays(fields, fields=list(LINK)))


def _fixed(ids: pa.BinaryArray, size: int, keep: NDArray[np.bool_]) -> pa.FixedSizeBinaryArray:
    """View ids as fixed-size; where one is left out its bytes do not matter."""
    if not keep.all():
        ids = pc.if_else(pa.array(keep), ids, pa.scalar(bytes(size), pa.binary()))
    return ids.cast(pa.binary(size))


def _id_or_empty(ids: pa.BinaryArray, size: int) -> pa.BinaryArray:
    valid = valid_ids(ids, size)
    return ids if valid.all() else pc.if_else(pa.array(valid), ids, pa.scalar(b"", pa.binary()))


def _letters(codes: NDArray[np.uint8]) -> pa.DictionaryArray:
    """Turn body type codes (0: no body) into a dictionary column."""
    distinct, indices = np.unique(codes, return_inverse=True)
    values = pa.array([chr(code) if code else "" for code in distinct.tolist()], pa.string())
    return pa.DictionaryArray.from_arrays(pa.array(indices.astype(np.int32)), values)


def _day(time: NDArray[np.uint64], received: NDArray[np.uint64]) -> pa.Array:
    plausible = (time >= received - np.uint64(PLAUSIBLE_PAST_NS)) & (time <= received + np.uint64(PLAUSIBLE_FUTURE_NS))
    days = np.where(plausible, time, received) // np.uint64(_DAY_NS)
    return pa.array(days.astype(np.int32)).view(pa.date32())


def _table(columns: dict[str, pa.Array], schema: pa.Schema, keep: NDArray[np.bool_]) -> pa.Table:
    table = pa.table([columns[name] for name in schema.names], names=schema.names)
    if not keep.all():
        table = table.filter(pa.array(keep))
    expected = [field.type for field in schema]
    if [field.type for field in table.schema] != expected:
        table = table.cast(schema)
    return table
