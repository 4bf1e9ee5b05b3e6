"""The `resources` and `scopes` tables: contexts by id, written once a day each, read through a bounded cache."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from storage.clickhouse.arrow import convert
from storage.clickhouse.bindings import one_of_ids
from storage.clickhouse.columns import ID, stored
from storage.clickhouse.engine import Engine
from storage.clickhouse.prepare import Prepared
from storage.contexts import Context, resource_context, scope_context
from storage.distinct import codes_of, context_id, dictionary, distinct, indices
from storage.schemas import ATTRIBUTES
from storage.seen import Seen

_SEEN = 200_000
_CACHED_BYTES = 32 << 20
_IDS_A_QUERY = 2_000

Entry = tuple[int, bytes]  # day, id


class ContextTable:
    """One of the two tables. Writing is for one thread at a time, reading for any."""

    def __init__(self, engine: Engine, table: str) -> None:
        self._engine, self._table = engine, table
        self._written: Seen[Entry] = Seen(_SEEN)
        self._cache: OrderedDict[bytes, bytes] = OrderedDict()
        self._cached_bytes = 0
        self._lock = threading.Lock()

    def write(self, items: Prepared) -> bool:
        """Write the contexts used that this process has not written for their day; tell whether there were any."""
        column = items.resource if self._table == "resources" else items.scope
        contexts = column.dictionary.to_pylist()
        if not contexts:
            return False
        days, day_codes = codes_of(items.days)
        used, on = distinct([(indices(column), len(contexts)), (day_codes, len(days))])
        ids = {code: context_id(contexts[code]) for code in set(used.tolist())}
        pairs = {(int(days[day]), ids[code]): code for code, day in zip(used.tolist(), on.tolist(), strict=True)}
        unseen = self._written.unseen(pairs)
        if unseen:
            rows = self._rows(unseen, [pairs[entry] for entry in unseen], items)
            self._engine.insert(self._table, rows.column_names, rows)
            self._written.add(unseen)
        return bool(unseen)

    def _rows(self, entries: list[Entry], codes: list[int], items: Prepared) -> pa.Table:
        resource = self._table == "resources"
        dictionary_of = (items.resource if resource else items.scope).dictionary
        contexts: list[bytes] = [dictionary_of[code].as_py() for code in codes]
        decode: Callable[[bytes], Context] = resource_context if resource else scope_context
        decoded = [decode(context) for context in contexts]
        columns = {
            "day": pa.array([day for day, _ in entries], pa.int32()).view(pa.date32()),
            "id": pa.array([identifier for _, identifier in entries], ID),
            "attributes": pa.array([list(context.attributes) for context in decoded], ATTRIBUTES),
            "attribute_types": pa.array([context.attribute_types for context in decoded], pa.string()),
            "context": pa.array(contexts, pa.binary()),
        }
        if resource:
            columns["service_name"] = pa.array(_service_names(codes, items), pa.string())
        else:
            columns["name"] = pa.array([context.name for context in decoded], pa.string())
            columns["version"] = pa.array([context.version for context in decoded], pa.string())
        return pa.table(columns)

    def read(self, ids: pa.FixedSizeBinaryArray) -> pa.DictionaryArray:
        """Return the contexts of ids; an id whose entry is gone reads as an empty context."""
        encoded = ids.dictionary_encode()
        wanted: list[bytes] = encoded.dictionary.to_pylist()
        with self._lock:
            found = {identifier: self._cache[identifier] for identifier in wanted if identifier in self._cache}
        missing = [identifier for identifier in wanted if identifier not in found]
        for start in range(0, len(missing), _IDS_A_QUERY):
            found |= self._query(missing[start : start + _IDS_A_QUERY])
        contexts = pa.array([found.get(identifier, b"") for identifier in wanted], pa.binary())
        return pa.DictionaryArray.from_arrays(encoded.indices, contexts)

    def clear(self) -> None:
        """Forget what was written and read (the tables were emptied, wholly or by days)."""
        self._written.clear()
        with self._lock:
            self._cache.clear()
            self._cached_bytes = 0

    def _query(self, ids: Sequence[bytes]) -> dict[bytes, bytes]:
        wanted = one_of_ids("id", ids)
        sql = f"SELECT id, any(context) AS context FROM {self._table} WHERE {wanted} GROUP BY id"
        rows = self._engine.query(sql)
        found = dict(zip(rows["id"].to_pylist(), rows["context"].to_pylist(), strict=True))
        with self._lock:
            for identifier, context in found.items():
                if identifier not in self._cache:
                    self._cache[identifier] = context
                    self._cached_bytes += len(context)
            while self._cached_bytes > _CACHED_BYTES:
                _, dropped = self._cache.popitem(last=False)
                self._cached_bytes -= len(dropped)
        return found


@dataclass(frozen=True, slots=True)
class Contexts:
    """Both tables."""

    resources: ContextTable
    scopes: ContextTable

    def __iter__(self) -> Iterator[ContextTable]:
        return iter((self.resources, self.scopes))

    def resolve(self, rows: pa.Table, schema: pa.Schema) -> pa.Table:
        """Return rows with stored columns as rows of the port: contexts for ids, in the schema's order and types."""
        if not len(rows):
            return schema.empty_table()
        rows = rows.combine_chunks()
        found = (rows.column(name).chunk(0) for name in stored(schema.names))
        columns = [self._column(column, field) for column, field in zip(found, schema, strict=True)]
        return pa.Table.from_arrays(columns, schema=schema)

    def _column(self, column: pa.Array, field: pa.Field) -> pa.Array:
        if field.name == "resource":
            return self.resources.read(column)
        return self.scopes.read(column) if field.name == "scope" else convert(column, field.type)


def _service_names(codes: list[int], items: Prepared) -> list[str]:
    """Return the service name that the items of each resource carry: the receiver decides it, not the resource."""
    services = dictionary(items.rows.column("service_name"))
    found, rows = np.unique(indices(items.resource), return_index=True)
    first = dict(zip(found.tolist(), rows.tolist(), strict=True))
    return [services[first[code]].as_py() for code in codes]
