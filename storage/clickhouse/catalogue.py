"""Feeds the small tables that suggestions read: services, operations, attribute keys. No loop over rows."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from storage.clickhouse.engine import Engine
from storage.clickhouse.prepare import Prepared
from storage.distinct import codes_of, dictionary, distinct, indices
from storage.queries import Level, Signal
from storage.seen import Seen

_SEEN = 200_000
# Distinct keys cost 0.1 µs a span: in large batches one contiguous part is looked at, another one each time.
_KEY_ROWS = 8_192


class Catalogue:
    """Writes what it has not written before. For one thread at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._services: Seen[tuple[int, str, str]] = Seen(_SEEN)
        self._operations: Seen[tuple[int, str, str, int]] = Seen(_SEEN)
        self._keys: Seen[tuple[int, str, str, str]] = Seen(_SEEN)
        self._turn = 0

    def write(self, signal: Signal, items: Prepared) -> bool:
        """Write what the items add; tell whether there were new attribute keys."""
        if not items.rows.num_rows:
            return False
        self._write_services(signal, items)
        if signal is Signal.TRACES:
            self._write_operations(items)
        return self._write_keys(signal, items)

    def clear(self) -> None:
        """Forget what was written (the tables were emptied, wholly or by days)."""
        for seen in (self._services, self._operations, self._keys):
            seen.clear()

    def _write_services(self, signal: Signal, items: Prepared) -> None:
        services = dictionary(items.rows.column("service_name"))
        names = services.dictionary.to_pylist()
        days, day_codes = codes_of(items.days)
        used, on = distinct([(indices(services), len(names)), (day_codes, len(days))])
        entries = [(int(days[d]), signal.value, names[s]) for s, d in zip(used.tolist(), on.tolist(), strict=True)]
        unseen = self._services.unseen(entries)
        self._insert("services", {"day": 0, "signal": 1, "service_name": 2}, unseen)
        self._services.add(unseen)

    def _write_operations(self, items: Prepared) -> None:
        services, names = dictionary(items.rows.column("service_name")), dictionary(items.rows.column("name"))
        kind_column = items.rows.column("kind").combine_chunks()
        kinds, kind_codes = codes_of(kind_column.to_numpy(zero_copy_only=False).astype(np.int64))
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
        entries = [
            (int(days[d]), service_texts[s], name_texts[n], int(kinds[k]))
            for d, s, n, k in zip(*(part.tolist() for part in found), strict=True)
        ]
        unseen = self._operations.unseen(entries)
        self._insert("operations", {"day": 0, "service_name": 1, "name": 2, "kind": 3}, unseen)
        self._operations.add(unseen)

    def _write_keys(self, signal: Signal, items: Prepared) -> bool:
        rows = items.rows
        parts = -(-rows.num_rows // _KEY_ROWS)
        self._turn = (self._turn + 1) % parts
        part = rows.slice(self._turn * _KEY_ROWS, _KEY_ROWS)
        day = int(np.max(items.days))
        keys = {(day, signal.value, Level.ITEM.value, key) for key in _distinct_keys(part.column("attributes"))}
        if signal is Signal.TRACES:
            # All of these, not a part: searches leave events and links out when no such key was ever seen.
            for column, level in (("events", Level.EVENT), ("links", Level.LINK)):
                maps = pa.chunked_array([chunk.flatten().field("attributes") for chunk in rows.column(column).chunks])
                keys |= {(day, signal.value, level.value, key) for key in _distinct_keys(maps)}
        unseen = self._keys.unseen(sorted(keys))
        self._insert("attribute_keys", {"day": 0, "signal": 1, "level": 2, "key": 3}, unseen)
        self._keys.add(unseen)
        return bool(unseen)

    def _insert(
        self,
        table: str,
        columns: dict[str, int],
        entries: list[tuple[int, str, str]] | list[tuple[int, str, str, int]] | list[tuple[int, str, str, str]],
    ) -> None:
        if not entries:
            return
        parts = {name: pa.array([entry[index] for entry in entries]) for name, index in columns.items()}
        parts["day"] = parts["day"].cast(pa.int32()).view(pa.date32())
        rows = pa.table(parts)
        self._engine.insert(table, rows.column_names, rows)


def _distinct_keys(maps: pa.ChunkedArray) -> list[str]:
    keys: set[str] = set()
    for chunk in maps.chunks:
        start, end = chunk.offsets[0].as_py(), chunk.offsets[len(chunk)].as_py()
        keys.update(pc.unique(chunk.keys.slice(start, end - start)).to_pylist())
    return sorted(keys)
