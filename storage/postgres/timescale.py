"""Spans and log records as TimescaleDB hypertables: chunks of one day, compressed after a week.

Source: TimescaleDB documentation, create_hypertable, add_compression_policy, drop_chunks, chunks_detailed_size;
contract: tests/contract (engine `postgres-timescale`), tests/unit/test_postgres_timescale.py.
"""

from datetime import date, timedelta

from psycopg import sql

from storage.errors import StorageRejected
from storage.postgres.database import Connection, Database
from storage.postgres.migrations import LOCK

# What a server of Baton's own is started with.
SERVER_OPTIONS = {"shared_preload_libraries": "timescaledb", "timescaledb.telemetry_level": "off"}
# The column that orders a compressed chunk.
_ORDER = {"spans": "start_time_unix_nano DESC", "logs": "event_time_unix_nano DESC, ordinal"}
_COMPRESS_AFTER_DAYS = 7


class Hypertables:
    """Those of a store that has them; of any other store, none."""

    def __init__(self, database: Database) -> None:
        """Look for them, and make them when the settings say so.

        Raises: StorageRejected when the extension is not there, or the store was made the other way.
        """
        self._database = database
        self._schema = _extension_schema(database)
        self.tables = _found(database) if self._schema else frozenset[str]()
        if database.settings.timescaledb and not self.tables:
            _check_server(database)
            self._schema = self._make()
            self.tables = frozenset(_ORDER)
        if self.tables and not database.settings.timescaledb:
            message = "the tables of this schema were made with timescaledb: true, which cannot be undone"
            raise StorageRejected(f"{message}; set it, or choose another database_schema")

    @property
    def tie(self) -> str:
        """SQL that orders log records of one time as they were stored."""
        return "ordinal" if "logs" in self.tables else "tableoid, ctid"

    def days(self) -> list[tuple[str, date, int]]:
        """Return (table, day, bytes on disk) of every chunk."""
        found = []
        for table in sorted(self.tables):
            name = f"{self._database.schema}.{table}"
            rows = self._database.query(
                f"""
                SELECT (c.range_start AT TIME ZONE 'UTC')::date, s.total_bytes::bigint
                FROM timescaledb_information.chunks AS c
                JOIN "{self._schema}".chunks_detailed_size(%(name)s::regclass) AS s USING (chunk_schema, chunk_name)
                WHERE c.hypertable_schema = %(schema)s AND c.hypertable_name = %(table)s
                """,
                {"name": name, "schema": self._database.schema, "table": table},
            )
            found += [(table, day, size or 0) for day, size in rows]
        return found

    def drop(self, table: str, day: date) -> None:
        """Drop a day."""
        self._database.execute(
            f'SELECT "{self._schema}".drop_chunks(%(table)s::regclass,'
            " older_than => %(end)s::date, newer_than => %(start)s::date)",
            {"table": f"{self._database.schema}.{table}", "start": day, "end": day + timedelta(days=1)},
        )

    def truncate(self, connection: Connection) -> None:
        """Drop every day, within a transaction."""
        for table in sorted(self.tables):
            connection.execute(f"TRUNCATE {table}".encode())

    def _make(self) -> str:
        """Make hypertables of the empty tables that the migrations made; return the extension's schema."""
        self._database.execute("CREATE EXTENSION IF NOT EXISTS timescaledb SCHEMA public")
        schema = _extension_schema(self._database)
        with self._database.transaction() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
            for table in _ORDER:
                if not _is_hypertable(connection, self._database.schema, table):
                    _make_one(connection, schema, self._database.schema, table)
        return schema


def _make_one(connection: Connection, extension: str, schema: str, table: str) -> None:
    used = connection.execute(f"SELECT FROM {table} LIMIT 1".encode()).fetchone()
    if used is not None:
        message = f"the table {table} has items in plain partitions, which cannot become a hypertable"
        raise StorageRejected(f"{message}: choose another database_schema, or set timescaledb: false")
    name = sql.Identifier(table)
    connection.execute(sql.SQL("ALTER TABLE {} RENAME TO {}").format(name, sql.Identifier(f"{table}_plain")))
    plain = sql.Identifier(f"{table}_plain")
    connection.execute(sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(name, plain))
    connection.execute(sql.SQL("DROP TABLE {} CASCADE").format(plain))
    if table == "logs":  # a compressed row has no place of its own that could tell the order
        connection.execute(
            sql.SQL("ALTER TABLE {} ADD COLUMN ordinal bigint GENERATED ALWAYS AS IDENTITY").format(name)
        )
    call = sql.SQL(
        "SELECT {}.create_hypertable({}::regclass, 'day', chunk_time_interval => interval '1 day',"
        " create_default_indexes => false)"
    )
    full = sql.Literal(f"{schema}.{table}")
    connection.execute(call.format(sql.Identifier(extension), full))
    connection.execute(
        sql.SQL(
            "ALTER TABLE {} SET (timescaledb.compress, timescaledb.compress_segmentby = 'service_name',"
            " timescaledb.compress_orderby = {})"
        ).format(name, sql.Literal(_ORDER[table]))
    )
    policy = sql.SQL("SELECT {}.add_compression_policy({}::regclass, compress_after => {}::interval)")
    after = sql.Literal(f"{_COMPRESS_AFTER_DAYS} days")
    connection.execute(policy.format(sql.Identifier(extension), full, after))


def _check_server(database: Database) -> None:
    if not database.query("SELECT FROM pg_available_extensions WHERE name = 'timescaledb'"):
        raise StorageRejected(
            "timescaledb is true, but this server does not have the extension TimescaleDB: install it there,"
            " or set timescaledb: false"
        )
    if not database.query("SELECT FROM pg_settings WHERE name = 'timescaledb.max_background_workers'"):
        raise StorageRejected(
            "timescaledb is true, but this server has not loaded the extension TimescaleDB: add it to"
            " shared_preload_libraries in postgresql.conf and restart the server, or set timescaledb: false"
        )


def _extension_schema(database: Database) -> str:
    rows = database.query(
        "SELECT nspname::text FROM pg_extension JOIN pg_namespace AS n ON n.oid = extnamespace"
        " WHERE extname = 'timescaledb'"
    )
    return rows[0][0].decode() if rows else ""


def _found(database: Database) -> frozenset[str]:
    rows = database.query(
        "SELECT hypertable_name::text FROM timescaledb_information.hypertables WHERE hypertable_schema = %(schema)s",
        {"schema": database.schema},
    )
    return frozenset(row[0].decode() for row in rows)


def _is_hypertable(connection: Connection, schema: str, table: str) -> bool:
    found = connection.execute(
        "SELECT FROM timescaledb_information.hypertables WHERE hypertable_schema = %s AND hypertable_name = %s",
        (schema, table),
    )
    return found.fetchone() is not None
