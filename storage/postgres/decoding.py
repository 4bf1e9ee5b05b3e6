"""From rows that the driver read to the port's Arrow tables."""

from collections.abc import Mapping, Sequence
from itertools import chain, islice
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from storage.postgres.contexts import ById
from storage.postgres.database import Row
from storage.postgres.texts import unescaped_array
from storage.schemas import ATTRIBUTES, EVENT, LINK

_TOP_BIT = np.uint64(1 << 63)
_STORED = {
    "attributes": ("attribute_shape", "attribute_values"),
    "attribute_types": ("attribute_shape",),
    "resource": ("resource_id",),
    "scope": ("scope_id",),
    "events": (
        "event_times",
        "event_names",
        "event_attribute_counts",
        "event_keys",
        "event_values",
        "event_types",
        "event_dropped_attributes_counts",
    ),
    "links": (
        "link_trace_ids",
        "link_span_ids",
        "link_trace_states",
        "link_attribute_counts",
        "link_keys",
        "link_values",
        "link_types",
        "link_dropped_attributes_counts",
        "link_flags",
    ),
}

Shapes = ById[tuple[list[bytes], bytes]]
Contexts = ById[bytes]
Columns = Mapping[str, Sequence[Any]]


def stored_columns(names: Sequence[str]) -> list[str]:
    """Return the stored columns that the port's columns are made of."""
    return list(dict.fromkeys(chain.from_iterable(_STORED.get(name, (name,)) for name in names)))


class Decoder:
    """Turns rows of spans and log records into Arrow."""

    def __init__(self, shapes: Shapes, resources: Contexts, scopes: Contexts) -> None:
        self._shapes, self._contexts = shapes, {"resource": resources, "scope": scopes}

    def table(self, rows: Sequence[Row], schema: pa.Schema) -> pa.Table:
        """Return rows of `stored_columns(schema.names)` as a table of the schema."""
        if not rows:
            return schema.empty_table()
        columns = dict(zip(stored_columns(schema.names), zip(*rows, strict=True), strict=True))
        return pa.Table.from_arrays([self._column(field, columns) for field in schema], schema=schema)

    def _column(self, field: pa.Field, columns: Columns) -> pa.Array:
        match field.name:
            case "attributes":
                return self._attributes(columns["attribute_shape"], columns["attribute_values"])
            case "attribute_types":
                shapes = self._shapes.read(list(dict.fromkeys(columns["attribute_shape"])))
                letters = [shapes[key][1].decode() if key in shapes else "" for key in columns["attribute_shape"]]
                return pa.array(letters, pa.string()).dictionary_encode()
            case "resource" | "scope":
                return self._context(field.name, columns[f"{field.name}_id"])
            case "events":
                return _events(columns)
            case "links":
                return _links(columns)
            case _:
                return plain_array(columns[field.name], field)

    def _attributes(self, ids: Sequence[bytes], values: Sequence[Sequence[bytes]]) -> pa.Array:
        shapes = self._shapes.read(list(dict.fromkeys(ids)))
        keys = [shapes[key][0] if key in shapes else [b""] * len(row) for key, row in zip(ids, values, strict=True)]
        return _maps(_offsets([len(row) for row in values]), _flat(keys), unescaped_array(_flat(values)))

    def _context(self, name: str, ids: Sequence[bytes]) -> pa.Array:
        encoded = pa.array(ids, pa.binary(16)).dictionary_encode()
        wanted = encoded.dictionary.to_pylist()
        found = self._contexts[name].read(wanted)
        contexts = pa.array([found.get(key, b"") for key in wanted], pa.binary())
        return pa.DictionaryArray.from_arrays(encoded.indices, contexts)


def plain_table(rows: Sequence[Row], schema: pa.Schema) -> pa.Table:
    """Return rows of a schema's columns, each stored under its own name, as a table."""
    if not rows:
        return schema.empty_table()
    columns = zip(*rows, strict=True)
    return pa.Table.from_arrays(
        [plain_array(column, field) for column, field in zip(columns, schema, strict=True)], schema=schema
    )


def plain_array(values: Sequence[Any], field: pa.Field) -> pa.Array:  # noqa: PLR0911  one return a type
    """Return a column in its type. Of the uint64 columns only times are stored shifted: the others are counts."""
    kind = field.type
    if pa.types.is_dictionary(kind):
        return _strings(values, kind.value_type).dictionary_encode()
    if pa.types.is_string(kind):
        return _strings(values, kind)
    if pa.types.is_list(kind):
        return _lists([list(value or ()) for value in values], kind)
    if field.name == "body":
        return unescaped_array(list(values))
    if pa.types.is_uint64(kind) and field.name.endswith("_unix_nano"):
        return pa.array(np.array(values, np.int64).view(np.uint64) ^ _TOP_BIT)
    if pa.types.is_uint32(kind):
        return pa.array(np.array(values, np.int32).view(np.uint32))
    return pa.array(list(values), kind)


def _strings(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    if any(value is None for value in values):
        return pa.array([None if value is None else bytes(value).decode() for value in values], kind)
    return unescaped_array(list(values)).view(pa.string()).cast(kind)


def _lists(values: Sequence[Sequence[bytes]], kind: pa.ListType) -> pa.Array:
    flat = _flat(values)
    items = unescaped_array(flat).view(pa.string()) if pa.types.is_string(kind.value_type) else pa.array(flat)
    return pa.ListArray.from_arrays(_offsets([len(value) for value in values]), items.cast(kind.value_type))


def _events(columns: Columns) -> pa.Array:
    counts = [len(times) if times else 0 for times in columns["event_times"]]
    fields = {
        "time_unix_nano": _times(_flat(columns["event_times"])),
        "name": _texts(columns["event_names"]),
        **_nested("event", columns),
        "dropped_attributes_count": _bits(_flat(columns["event_dropped_attributes_counts"])),
    }
    return _structs(counts, fields, EVENT)


def _links(columns: Columns) -> pa.Array:
    counts = [len(ids) if ids else 0 for ids in columns["link_trace_ids"]]
    fields = {
        "trace_id": pa.array(_flat(columns["link_trace_ids"]), pa.binary()),
        "span_id": pa.array(_flat(columns["link_span_ids"]), pa.binary()),
        "trace_state": _texts(columns["link_trace_states"]),
        **_nested("link", columns),
        "dropped_attributes_count": _bits(_flat(columns["link_dropped_attributes_counts"])),
        "flags": _bits(_flat(columns["link_flags"])),
    }
    return _structs(counts, fields, LINK)


def _nested(prefix: str, columns: Columns) -> dict[str, pa.Array]:
    counts: list[int] = _flat(columns[f"{prefix}_attribute_counts"])
    keys = unescaped_array(_flat(columns[f"{prefix}_keys"]))
    letters = iter(_flat(columns[f"{prefix}_types"]))
    types = [b"".join(islice(letters, count)).decode() for count in counts]
    values = unescaped_array(_flat(columns[f"{prefix}_values"]))
    maps = pa.MapArray.from_arrays(_offsets(counts), keys.view(pa.string()), values)
    return {"attributes": maps, "attribute_types": pa.array(types, pa.string())}


def _structs(counts: Sequence[int], fields: Mapping[str, pa.Array], kind: pa.StructType) -> pa.Array:
    structs = pa.StructArray.from_arrays([fields[field.name] for field in kind], fields=list(kind))
    return pa.ListArray.from_arrays(_offsets(counts), structs)


def _maps(offsets: pa.Array, keys: Sequence[bytes], values: pa.Array) -> pa.Array:
    return pa.MapArray.from_arrays(offsets, pa.array(keys, pa.binary()).view(pa.string()), values).cast(ATTRIBUTES)


def _offsets(counts: Sequence[int]) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(np.array(counts, np.int64))]).astype(np.int32))


def _flat(values: Sequence[Any]) -> list[Any]:
    return list(chain.from_iterable(value for value in values if value))


def _texts(values: Sequence[Any]) -> pa.Array:
    return unescaped_array(_flat(values)).view(pa.string())


def _times(values: Sequence[int]) -> pa.Array:
    return pa.array(np.array(values, np.int64).view(np.uint64) ^ _TOP_BIT)


def _bits(values: Sequence[int]) -> pa.Array:
    found: NDArray[np.uint32] = np.array(values, np.int32).view(np.uint32)
    return pa.array(found)


def context_entry(row: Row) -> tuple[bytes, int]:
    """Return a stored context as (context, size)."""
    return row[0], len(row[0])
