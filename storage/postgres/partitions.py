"""Days: plain partitions are made before a write needs them, hypertables make their own; dropped as a whole."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from storage.postgres.database import Connection, Database
from storage.postgres.tables import TABLES
from storage.postgres.timescale import Hypertables

# Advisory lock of whoever makes or drops partitions: "parts".
_LOCK = 0x7061727473
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Partition:
    """One day of one table."""

    table: str
    day: date
    name: str  # empty: a chunk of a hypertable
    bytes: int

    @property
    def label(self) -> str:
        """How retention reports it."""
        return f"{self.table}/{self.day.isoformat()}"


class Partitions:
    """Range partitions `<table>_<yyyymmdd>` and chunks of hypertables. Thread-safe; safe beside other processes."""

    def __init__(self, database: Database, hypertables: Hypertables) -> None:
        self._database, self._hypertables = database, hypertables
        self._made: set[tuple[str, int]] = set()
        self._lock = threading.Lock()

    def ensure(self, needed: Iterable[tuple[str, int]]) -> None:
        """Make the partitions of (table, days since 1970) that are missing.

        A partition is built beside its table and then attached, which lets queries go on.
        """
        with self._lock:
            plain = {(table, day) for table, day in needed if table not in self._hypertables.tables}
            missing = sorted(plain - self._made)
            if not missing:
                return
            with self._database.transaction() as connection:
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
                if self._database.lz4:
                    connection.execute("SET LOCAL default_toast_compression = 'lz4'")
                for table, day in missing:
                    _make(connection, self._database.schema, table, _EPOCH + timedelta(days=day))
            self._made.update(missing)

    def forget(self) -> None:
        """Look again next time: partitions may be gone."""
        with self._lock:
            self._made.clear()

    def all(self) -> list[Partition]:
        """Return every partition, oldest first."""
        rows = self._database.query(
            """
            SELECT parent.relname::text, child.relname::text, pg_total_relation_size(child.oid)
            FROM pg_inherits
            JOIN pg_class AS parent ON parent.oid = inhparent
            JOIN pg_class AS child ON child.oid = inhrelid
            JOIN pg_namespace AS n ON n.oid = parent.relnamespace
            WHERE n.nspname = %(schema)s AND parent.relkind = 'p'
            """,
            {"schema": self._database.schema},
        )
        found = []
        for table, name, size in rows:
            if table.decode() in TABLES:
                day = date.fromisoformat(name.decode().rpartition("_")[2])
                found.append(Partition(table.decode(), day, name.decode(), size))
        found += [Partition(table, day, "", size) for table, day, size in self._hypertables.days()]
        return sorted(found, key=lambda part: (part.day, part.table))

    def drop(self, partitions: Iterable[Partition]) -> None:
        """Detach and drop partitions; queries that run on them finish first, others go on."""
        for part in partitions:
            if part.table in self._hypertables.tables:
                self._hypertables.drop(part.table, part.day)
                continue
            if self._is_pending(part):
                self._database.execute(f"ALTER TABLE {part.table} DETACH PARTITION {part.name} FINALIZE")
            else:
                self._database.execute(f"ALTER TABLE {part.table} DETACH PARTITION {part.name} CONCURRENTLY")
            self._database.execute(f"DROP TABLE {part.name}")
        self.forget()

    def drop_all(self) -> None:
        """Drop every partition at once, or none."""
        names = [part.name for part in self.all() if part.name]
        with self._database.transaction() as connection:
            connection.execute("TRUNCATE batches")
            self._hypertables.truncate(connection)
            for start in range(0, len(names), 100):
                connection.execute(f"DROP TABLE {', '.join(names[start : start + 100])}".encode())
        self.forget()

    def _is_pending(self, part: Partition) -> bool:
        """Tell whether an earlier detaching was interrupted."""
        rows = self._database.query(
            "SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = to_regclass(%(name)s)", {"name": part.name}
        )
        return bool(rows and rows[0][0])


def _make(connection: Connection, schema: str, table: str, day: date) -> None:
    name = f"{table}_{day:%Y%m%d}"
    row = connection.execute(
        """
        SELECT c.oid IS NOT NULL, i.inhrelid IS NOT NULL FROM (SELECT 1) AS one
        LEFT JOIN pg_class AS c ON c.relname = %s AND c.relnamespace = %s::regnamespace
        LEFT JOIN pg_inherits AS i ON i.inhrelid = c.oid
        """,
        (name, f'"{schema}"'),
    ).fetchone()
    exists, attached = row or (False, False)
    if attached:
        return
    if exists:  # detached by a retention that was interrupted before it could drop it
        connection.execute(f"DROP TABLE {name}".encode())
    first, last = day.isoformat(), (day + timedelta(days=1)).isoformat()
    check = f"CHECK (day >= DATE '{first}' AND day < DATE '{last}')"
    connection.execute(f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL, CONSTRAINT of_day {check})".encode())
    connection.execute(
        f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{first}') TO ('{last}')".encode()
    )
    connection.execute(f"ALTER TABLE {name} DROP CONSTRAINT of_day".encode())
