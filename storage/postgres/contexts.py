"""Resources, scopes and shapes: written once a day each, read by id through a bounded cache."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar
from uuid import UUID

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from storage.distinct import context_id
from storage.postgres.database import Connection, Database, Row
from storage.seen import Seen

_SEEN = 200_000
_CACHED = 50_000
_CACHED_BYTES = 32 << 20
_IDS_A_QUERY = 2_000

Entry = tuple[int, bytes]  # day, id
Found = TypeVar("Found")


def context_ids(contexts: pa.DictionaryArray) -> NDArray[np.void]:
    """Return the 16-byte id of each row's context."""
    if not len(contexts):
        return np.zeros(0, "V16")
    distinct = b"".join(context_id(context) for context in contexts.dictionary.to_pylist())
    ids: NDArray[np.void] = np.frombuffer(distinct, "V16")[contexts.indices.to_numpy()]
    return ids


class OnceADay:
    """Inserts rows with a day and an id unless they are there. For one writing thread at a time."""

    def __init__(self, table: str, columns: Sequence[str]) -> None:
        names = ", ".join(("day", "id", *columns))
        values = ", ".join(["DATE '1970-01-01' + %s::integer"] + ["%s"] * (len(columns) + 1))
        self._sql = f"INSERT INTO {table} ({names}) VALUES ({values}) ON CONFLICT DO NOTHING".encode()
        self.table = table
        self._written: Seen[Entry] = Seen(_SEEN)

    def unseen(self, entries: Sequence[Entry]) -> list[Entry]:
        """Return the entries that this process has not written, in an order that all processes share."""
        return sorted(self._written.unseen(entries))

    def insert(self, connection: Connection, rows: Mapping[Entry, Row]) -> None:
        """Insert the rest of each entry's row."""
        with connection.cursor() as cursor:
            cursor.executemany(self._sql, [(day, UUID(bytes=key), *rest) for (day, key), rest in rows.items()])

    def remember(self, entries: Sequence[Entry]) -> None:
        """Note entries as written, once their transaction has been committed."""
        self._written.add(entries)

    def forget(self) -> None:
        """Forget what was written (the table was emptied, wholly or by days)."""
        self._written.clear()


class ById(Generic[Found]):
    """Reads a table's entries by id, any thread. `make` turns a row without its id into (entry, size in bytes)."""

    def __init__(self, database: Database, table: str, columns: str, make: Callable[[Any], tuple[Found, int]]) -> None:
        self._database, self._make = database, make
        self._sql = f"SELECT DISTINCT ON (id) id, {columns} FROM {table} WHERE id = ANY(%(ids)s::uuid[])"
        self._cache: OrderedDict[bytes, tuple[Found, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def read(self, ids: Sequence[bytes]) -> dict[bytes, Found]:
        """Return the entries of distinct ids; those that are gone are missing."""
        with self._lock:
            found = {key: self._cache[key][0] for key in ids if key in self._cache}
        missing = [key for key in ids if key not in found]
        for start in range(0, len(missing), _IDS_A_QUERY):
            found |= self._query(missing[start : start + _IDS_A_QUERY])
        return found

    def forget(self) -> None:
        """Forget what was read."""
        with self._lock:
            self._cache.clear()
            self._bytes = 0

    def _query(self, ids: Sequence[bytes]) -> dict[bytes, Found]:
        rows = self._database.query(self._sql, {"ids": [UUID(bytes=key) for key in ids]})
        made = {row[0]: self._make(row[1:]) for row in rows}
        with self._lock:
            for key, entry in made.items():
                if key not in self._cache:
                    self._cache[key] = entry
                    self._bytes += entry[1]
            while len(self._cache) > _CACHED or self._bytes > _CACHED_BYTES:
                _, (_, size) = self._cache.popitem(last=False)
                self._bytes -= size
        return {key: entry for key, (entry, _) in made.items()}
