"""What is derived from each batch and written once a day: contexts, shapes, services, operations, attribute keys."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from storage.contexts import Context, resource_context, scope_context
from storage.distinct import codes_of, context_id, dictionary, distinct, indices
from storage.postgres.contexts import Entry, OnceADay
from storage.postgres.database import Database, Row
from storage.postgres.nesting import entries_of, items_of
from storage.postgres.tables import Prepared, chunk
from storage.postgres.texts import escape, escape_text, unescape
from storage.queries import Level, Signal


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows that may have to be written; made only for those that must be."""

    table: OnceADay
    entries: list[Entry]
    make: Callable[[Entry], Row]


class Catalogue:
    """Writes what this process has not written before. For one thread at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._shapes = OnceADay("shapes", ("keys", "types"))
        self._resources = OnceADay("resources", ("service_name", "keys", "texts", "types", "context"))
        self._scopes = OnceADay("scopes", ("name", "version", "keys", "texts", "types", "context"))
        self._services = OnceADay("services", ("signal", "service_name"))
        self._operations = OnceADay("operations", ("service_name", "name", "kind"))
        self._keys = OnceADay("attribute_keys", ("signal", "level", "key"))
        self._tables = (
            self._shapes,
            self._resources,
            self._scopes,
            self._services,
            self._operations,
            self._keys,
        )

    def write(self, batch: Iterable[tuple[Signal, Prepared]], ensure: Callable[[set[tuple[str, int]]], None]) -> None:
        """Write what the items add, in a transaction of its own; `ensure` makes partitions of (table, day).

        An entry whose batch then fails is harmless: the batch comes again.
        """
        parts = []
        for signal, items in batch:
            if items.rows.num_rows:
                parts += [self._shape_rows(items), *self._context_rows(items), *self._names(signal, items)]
        news = [(part, part.table.unseen(part.entries)) for part in parts]
        if not any(entries for _, entries in news):
            return
        ensure({(part.table.table, day) for part, entries in news for day, _ in entries})
        with self._database.transaction() as connection:
            for part, entries in sorted(news, key=lambda new: new[0].table.table):
                if entries:
                    part.table.insert(connection, {entry: part.make(entry) for entry in entries})
        for part, entries in news:
            part.table.remember(entries)

    def forget(self) -> None:
        """Forget what was written (the tables were emptied, wholly or by days)."""
        for table in self._tables:
            table.forget()

    def _shape_rows(self, items: Prepared) -> _Rows:
        days, day_codes = codes_of(items.days)
        shapes = items.shaped.shapes
        used, on = distinct([(items.shaped.codes, len(shapes)), (day_codes, len(days))])
        codes = {(int(days[d]), shapes[s].id): s for s, d in zip(used.tolist(), on.tolist(), strict=True)}

        def make(entry: Entry) -> Row:
            shape = shapes[codes[entry]]
            return list(shape.keys), list(shape.types)

        return _Rows(self._shapes, list(codes), make)

    def _context_rows(self, items: Prepared) -> list[_Rows]:
        services = dictionary(items.rows.column("service_name"))

        def of_resource(code: int, context: bytes) -> Row:
            row = int(np.argmax(indices(items.resource) == code))  # the receiver decides its name, not the resource
            return escape_text(services[row].as_py()), *_columns(resource_context(context)), context

        def of_scope(_: int, context: bytes) -> Row:
            decoded = scope_context(context)
            return escape_text(decoded.name), escape_text(decoded.version), *_columns(decoded), context

        return [
            _of_contexts(self._resources, items, items.resource, of_resource),
            _of_contexts(self._scopes, items, items.scope, of_scope),
        ]

    def _names(self, signal: Signal, items: Prepared) -> list[_Rows]:
        days, day_codes = codes_of(items.days)
        services = dictionary(items.rows.column("service_name"))
        service_names = services.dictionary.to_pylist()
        used, on = distinct([(indices(services), len(service_names)), (day_codes, len(days))])
        named = [
            (int(days[d]), (signal.value, escape_text(service_names[s])))
            for s, d in zip(used.tolist(), on.tolist(), strict=True)
        ]
        found = [_of_names(self._services, named)]
        if signal is Signal.TRACES:
            found.append(_of_names(self._operations, _operations(items)))
        day = int(np.max(items.days))
        keys = [(day, (signal.value, level, key)) for level, key in _keys(signal, items)]
        return [*found, _of_names(self._keys, keys)]


def _operations(items: Prepared) -> list[tuple[int, Row]]:
    services, names = dictionary(items.rows.column("service_name")), dictionary(items.rows.column("name"))
    kinds, kind_codes = codes_of(chunk(items.rows, "kind").to_numpy().astype(np.int64))
    days, day_codes = codes_of(items.days)
    found = distinct(
        [
            (day_codes, len(days)),
            (indices(services), len(services.dictionary)),
            (indices(names), len(names.dictionary)),
            (kind_codes, len(kinds)),
        ]
    )
    service_texts, name_texts = services.dictionary.to_pylist(), names.dictionary.to_pylist()
    return [
        (int(days[d]), (escape_text(service_texts[s]), escape_text(name_texts[n]), int(kinds[k])))
        for d, s, n, k in zip(*(part.tolist() for part in found), strict=True)
    ]


def _keys(signal: Signal, items: Prepared) -> set[tuple[str, str]]:
    keys = {(Level.ITEM.value, key) for shape in items.shaped.shapes for key in shape.keys}
    if signal is Signal.TRACES:
        for column, level in (("events", Level.EVENT), ("links", Level.LINK)):
            entries = entries_of(items_of(chunk(items.rows, column)).fields["attributes"])
            keys |= {(level.value, escape_text(key)) for key in pc.unique(entries.keys).to_pylist()}
    return keys


def _of_contexts(
    table: OnceADay, items: Prepared, column: pa.DictionaryArray, make: Callable[[int, bytes], Row]
) -> _Rows:
    contexts = column.dictionary.to_pylist()
    days, day_codes = codes_of(items.days)
    used, on = distinct([(indices(column), len(contexts)), (day_codes, len(days))])
    ids = {code: context_id(contexts[code]) for code in set(used.tolist())}
    codes = {(int(days[d]), ids[c]): c for c, d in zip(used.tolist(), on.tolist(), strict=True)}
    return _Rows(table, list(codes), lambda entry: make(codes[entry], contexts[codes[entry]]))


def _of_names(table: OnceADay, named: list[tuple[int, Row]]) -> _Rows:
    rows = {(day, _name_id(row)): row for day, row in named}
    return _Rows(table, list(rows), rows.__getitem__)


def _name_id(row: Row) -> bytes:
    return hashlib.blake2b(repr(row).encode(), digest_size=16).digest()


def _columns(context: Context) -> Row:
    keys = [escape_text(key) for key, _ in context.attributes]
    return keys, [escape(value) for _, value in context.attributes], list(context.attribute_types)


def shape_entry(row: Row) -> tuple[tuple[list[bytes], bytes], int]:
    """Return a stored shape as ((keys, type letters), size)."""
    keys, types = [unescape(key) for key in row[0]], b"".join(row[1])
    return (keys, types), sum(map(len, keys)) + 100
