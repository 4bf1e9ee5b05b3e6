"""The stored tables: which there are, and how the port's Arrow tables become their COPY columns."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from storage.distinct import dictionary
from storage.postgres.contexts import context_ids
from storage.postgres.encoding import Column, array_column, number, raw, text, uuids
from storage.postgres.nesting import Items, entries_of, items_of, letters_of, values_of
from storage.postgres.shapes import Shaped, shaped
from storage.retention import ITEM_TABLES

_CATALOGUE_TABLES = ("shapes", "resources", "scopes", "services", "operations", "attribute_keys", "histogram")
TABLES = (*ITEM_TABLES, *_CATALOGUE_TABLES)
# The column that orders a table.
TIME_COLUMNS = {
    "spans": "start_time_unix_nano",
    "logs": "event_time_unix_nano",
    "agent_spans": "start_time_unix_nano",
    "agent_logs": "event_time_unix_nano",
    "transfers": "time_unix_nano",
    "agent_runs": "start_time_unix_nano",
}

LAST_DAY = 65_535  # 2149-06-06: partitions far beyond are a sender's mistake


@dataclass(frozen=True, slots=True)
class Prepared:
    """An Arrow table in one chunk, with what is derived from it once."""

    rows: pa.Table
    resource: pa.DictionaryArray
    scope: pa.DictionaryArray
    shaped: Shaped
    days: NDArray[np.int64]  # since 1970-01-01

    def slice(self, start: int, count: int) -> "Prepared":
        """Return a run of rows."""
        end = start + count
        return Prepared(
            self.rows.slice(start, count),
            self.resource.slice(start, count),
            self.scope.slice(start, count),
            Shaped(self.shaped.shapes, self.shaped.codes[start:end]),
            self.days[start:end],
        )


def prepare(table: pa.Table) -> Prepared:
    """Return a table with contexts and attributes ready for its COPY."""
    rows = one_chunk(table)
    types = dictionary(rows.column("attribute_types"))
    return Prepared(
        rows,
        dictionary(rows.column("resource")),
        dictionary(rows.column("scope")),
        shaped(entries_of(chunk(rows, "attributes")), types),
        chunk(rows, "day").view(pa.int32()).to_numpy().astype(np.int64),
    )


def one_chunk(table: pa.Table) -> pa.Table:
    """Return the table in one chunk, its days moved into the range that partitions are made for."""
    table = table.unify_dictionaries().combine_chunks()
    days = np.clip(chunk(table, "day").view(pa.int32()).to_numpy(), 0, LAST_DAY)
    clipped = pa.array(days, pa.int32()).view(pa.date32())
    return table.set_column(table.column_names.index("day"), "day", clipped)


def chunk(table: pa.Table, name: str) -> pa.Array:
    """Return a column of a table in one chunk."""
    column = table.column(name)
    return column.chunk(0) if column.num_chunks else pa.array([], column.type)


def item_columns(items: Prepared) -> dict[str, Column]:
    """Return the COPY columns of spans or log records (and agentic ones)."""
    rows = items.rows
    special = ("attributes", "attribute_types", "events", "links", "resource", "scope", "body")
    columns = plain_columns(rows.select([name for name in rows.column_names if name not in special]))
    entries = entries_of(chunk(rows, "attributes"))
    columns["attribute_shape"] = uuids(items.shaped.ids)
    columns["attribute_values"] = array_column("text", entries.values, entries.offsets, empty_is_null=False)
    columns["resource_id"], columns["scope_id"] = uuids(context_ids(items.resource)), uuids(context_ids(items.scope))
    if "body" in rows.column_names:
        columns["body"] = text(chunk(rows, "body"))
    if "events" in rows.column_names:
        columns |= _events(items_of(chunk(rows, "events")))
        columns |= _links(items_of(chunk(rows, "links")))
    return columns


def plain_columns(rows: pa.Table) -> dict[str, Column]:
    """Return the COPY columns of a table whose columns are stored under their own names."""
    return {name: _plain(chunk(rows, name)) for name in rows.column_names}


def _plain(array: pa.Array) -> Column:
    kind = array.type
    if pa.types.is_dictionary(kind) or pa.types.is_string(kind):
        return text(array)
    if pa.types.is_list(kind):
        offsets, values = values_of(array)
        sql = "bytea" if pa.types.is_binary(kind.value_type) else "text"
        return array_column(sql, values, offsets, empty_is_null=False)
    if pa.types.is_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return raw(array)
    return number(array)


def _events(events: Items) -> dict[str, Column]:
    fields = {"event_times": ("bigint", "time_unix_nano"), "event_names": ("text", "name")}
    fields["event_dropped_attributes_counts"] = ("integer", "dropped_attributes_count")
    return _lists(fields, events) | _nested("event", events)


def _links(links: Items) -> dict[str, Column]:
    fields = {"link_trace_ids": ("bytea", "trace_id"), "link_span_ids": ("bytea", "span_id")}
    fields |= {"link_trace_states": ("text", "trace_state"), "link_flags": ("integer", "flags")}
    fields["link_dropped_attributes_counts"] = ("integer", "dropped_attributes_count")
    return _lists(fields, links) | _nested("link", links)


def _lists(fields: Mapping[str, tuple[str, str]], items: Items) -> dict[str, Column]:
    return {
        column: array_column(kind, items.fields[field], items.offsets, empty_is_null=True)
        for column, (kind, field) in fields.items()
    }


def _nested(prefix: str, items: Items) -> dict[str, Column]:
    """Return the attributes of all events (links) of a row, one after the other, and how many each has."""
    entries = entries_of(items.fields["attributes"])
    of_rows = entries.offsets[items.offsets]
    letter_offsets, letters = letters_of(items.fields["attribute_types"])
    counts = pa.array(np.diff(entries.offsets).astype(np.int32))
    return {
        f"{prefix}_attribute_counts": array_column("integer", counts, items.offsets, empty_is_null=True),
        f"{prefix}_keys": array_column("text", entries.keys, of_rows, empty_is_null=True),
        f"{prefix}_values": array_column("text", entries.values, of_rows, empty_is_null=True),
        f"{prefix}_types": array_column("text", letters, letter_offsets[items.offsets], empty_is_null=True),
    }
