"""From the port's tables to what is inserted: one chunk, days in the engine's range, contexts as ids."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from storage.clickhouse.columns import ID, stored
from storage.distinct import context_id, dictionary

LAST_DAY = 65_535  # of the Date type: 2149-06-06


@dataclass(frozen=True, slots=True)
class Prepared:
    """The rows to insert, and the context columns as they came (one chunk each) for what is derived from them."""

    rows: pa.Table
    resource: pa.DictionaryArray
    scope: pa.DictionaryArray
    days: NDArray[np.int64]


def prepare(table: pa.Table) -> Prepared:
    """Return a SPANS or LOGS table ready for its insert."""
    table = one_chunk(table)
    resource, scope = dictionary(table.column("resource")), dictionary(table.column("scope"))
    columns = dict(zip(table.column_names, table.columns, strict=True))
    columns["resource"], columns["scope"] = _ids(resource), _ids(scope)
    rows = pa.table(list(columns.values()), names=stored(list(columns)))
    days = _chunk(table.column("day")).view(pa.int32()).to_numpy()
    return Prepared(rows, resource, scope, days.astype(np.int64))


def one_chunk(table: pa.Table) -> pa.Table:
    """Return the table in one chunk, its days moved into what the Date type holds."""
    table = table.unify_dictionaries().combine_chunks()
    days = np.clip(_chunk(table.column("day")).view(pa.int32()).to_numpy(), 0, LAST_DAY)
    clipped = pa.array(days, pa.int32()).view(pa.date32())
    return table.set_column(table.column_names.index("day"), "day", clipped)


def _ids(contexts: pa.DictionaryArray) -> pa.DictionaryArray:
    ids = pa.array([context_id(context) for context in contexts.dictionary.to_pylist()], ID)
    return pa.DictionaryArray.from_arrays(contexts.indices, ids)


def _chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks else pa.array([], column.type)
