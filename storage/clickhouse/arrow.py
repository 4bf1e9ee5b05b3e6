"""From what the engine answers to the port's Arrow schemas: views where the bytes allow it, copies where not."""

from functools import cache

import pyarrow as pa

TEXT_TYPES = (pa.string(), pa.binary())


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return the table's columns in the schema's order and types. Text is not checked again: it came from Arrow."""
    table = table.combine_chunks()
    columns = [_column(table.column(field.name), field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def _column(column: pa.ChunkedArray, target: pa.DataType) -> pa.Array:
    array = column.chunk(0) if column.num_chunks else pa.array([], column.type)
    return convert(array, target)


def convert(array: pa.Array, target: pa.DataType) -> pa.Array:  # noqa: PLR0911  one return a type
    """Return the array in the target type, through its nested parts."""
    source = array.type
    if source == target:
        return array
    if pa.types.is_dictionary(target):
        return convert(array, target.value_type).dictionary_encode()
    if source in TEXT_TYPES and target in TEXT_TYPES:
        return array.view(target)
    if pa.types.is_map(target):
        keys, items = convert(array.keys, target.key_type), convert(array.items, target.item_type)
        return pa.MapArray.from_arrays(array.offsets, keys, items)
    if pa.types.is_list(target):
        values = array.values  # of most, none: links, events
        values = convert(values, target.value_type) if len(values) else _none_of(target.value_type)
        return pa.ListArray.from_arrays(array.offsets, values)
    if pa.types.is_struct(target):
        parts = [convert(array.field(field.name), field.type) for field in target]
        return pa.StructArray.from_arrays(parts, fields=list(target))
    return array.cast(target)


@cache
def _none_of(kind: pa.DataType) -> pa.Array:
    return pa.array([], kind)
