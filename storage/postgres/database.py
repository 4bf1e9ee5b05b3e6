"""Connections to the server: a pool, its settings, queries. Raises only the port's errors."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.string import ByteaBinaryLoader
from psycopg_pool import ConnectionPool, PoolTimeout

from storage.cancelling import stoppable
from storage.errors import StorageRejected, StorageUnavailable
from storage.postgres.errors import STOPPED, port_errors
from storage.postgres.settings import PostgresSettings

MIN_VERSION = 15
# Connections for writes: two of a large batch, agent transfers, retention.
WRITERS = 4
_LOCK_SECONDS = 20
_CANCEL_SECONDS = 5.0
# Rows fetched at once through a server-side cursor.
_FETCH = 2_000
_LOWERS = ("", 'COLLATE "und-x-icu"', 'COLLATE "pg_c_utf8"', 'COLLATE "C.utf8"', 'COLLATE "en_US.utf8"')

Row = tuple[Any, ...]
Connection = psycopg.Connection[Row]
Parameters = Mapping[str, Any] | None


class Database:
    """A pool of connections to one database. Thread-safe. Texts and uuids come back as bytes."""

    def __init__(self, settings: PostgresSettings) -> None:
        """Connect once to see that the server can be used, then open the pool.

        Raises: StorageUnavailable when it cannot be reached; StorageRejected when it is too old or not UTF-8.
        """
        self.settings = settings
        self.schema = settings.db_schema
        with port_errors(writing=True):
            with self._first() as first:
                self.version = first.info.server_version
                check_version(self.version)
                _check_encoding(first)
                self.lower_collation = _lower_collation(first)
                self.lz4 = _has_lz4(first)
            self._readers = self._pool(settings.connections, settings.query_seconds)
            self._readers.open(wait=True, timeout=settings.connect_seconds)
            # Few, so that each of them knows the tables; tested each time, for they may have died since the last write.
            self._writers = self._pool(WRITERS, settings.write_seconds, ConnectionPool.check_connection)
            self._writers.open()

    def _pool(
        self, size: int, seconds: float, check: Callable[[Connection], None] | None = None
    ) -> "ConnectionPool[Connection]":
        return ConnectionPool(
            self.settings.dsn.get_secret_value(),
            min_size=1,
            max_size=size,
            timeout=self.settings.connect_seconds,
            max_idle=300,
            reconnect_timeout=3.0,  # then the next call tries again, instead of waiting ever longer
            kwargs={"autocommit": True, "prepare_threshold": None},
            configure=partial(self._configure, seconds=seconds),
            check=check,
            open=False,
            name="baton",
        )

    @property
    def name(self) -> str:
        """Name and version, for people."""
        return f"PostgreSQL {self.version // 10_000}.{self.version % 10_000}"

    def query(self, statement: str, parameters: Parameters = None) -> list[Row]:
        """Run a read and return its rows."""
        return self._read(self._query, statement, parameters)

    def walk(self, statement: str, parameters: Parameters = None) -> list[Row]:
        """Run a read that an index can answer in order, in that order: without statistics the planner would sort."""
        return self._read(self._walk, statement, parameters)

    def stream(self, statement: str, parameters: Parameters = None) -> list[Row]:
        """Run a read of many rows through a server-side cursor, so that the driver never holds the answer twice."""
        return self._read(self._stream, statement, parameters)

    def pages(self, statement: str, parameters: Parameters = None) -> Iterator[list[Row]]:
        """Run a read of any number of rows, a page at a time, without the ceiling on a query's run time."""
        with port_errors(), self._readers.connection() as connection, connection.transaction():
            connection.execute("SET LOCAL statement_timeout = 0")
            connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")  # who reads may wait for a writer
            with connection.cursor("baton_pages", binary=True) as cursor:
                cursor.execute(statement.encode(), parameters)
                while page := cursor.fetchmany(_FETCH):
                    yield page

    def _read(
        self, run: Callable[[Connection, bytes, Parameters], list[Row]], sql: str, values: Parameters
    ) -> list[Row]:
        """Run a read, once more when the connection had been lost: the server may have been restarted long ago."""
        with port_errors():
            try:
                with self._reader() as connection:
                    return run(connection, sql.encode(), values)
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                if error.sqlstate in STOPPED:
                    raise
                self._readers.check()
                with self._reader() as connection:
                    return run(connection, sql.encode(), values)

    @contextlib.contextmanager
    def _reader(self) -> Iterator[Connection]:
        """Give a connection for reads, whose query ends when its caller has gone away."""
        with self._connection(self._readers) as connection:
            stop = _Stop(connection)
            try:
                with stoppable(stop):
                    yield connection
            finally:
                if stop.is_pending:
                    connection.close()  # what the server takes up late must not hit another's query

    @staticmethod
    def _query(connection: Connection, statement: bytes, parameters: Parameters) -> list[Row]:
        with connection.cursor(binary=True) as cursor:
            return cursor.execute(statement, parameters).fetchall()

    @staticmethod
    def _walk(connection: Connection, statement: bytes, parameters: Parameters) -> list[Row]:
        with connection.pipeline(), connection.transaction():
            connection.execute("SET LOCAL enable_sort = off")
            with connection.cursor(binary=True) as cursor:
                return cursor.execute(statement, parameters).fetchall()

    @staticmethod
    def _stream(connection: Connection, statement: bytes, parameters: Parameters) -> list[Row]:
        with connection.transaction(), connection.cursor("baton_rows", binary=True) as cursor:
            cursor.itersize = _FETCH
            return list(cursor.execute(statement, parameters))

    def execute(self, statement: str, parameters: Parameters = None) -> None:
        """Run a statement without a result, outside a transaction."""
        with port_errors(writing=True), self._connection(self._writers) as connection:
            connection.execute(statement.encode(), parameters)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Give a connection in a transaction for writing; it commits durably, or not at all."""
        with port_errors(writing=True), self._connection(self._writers) as connection, connection.transaction():
            connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'".encode())
            yield connection

    def close(self) -> None:
        """Wait for running queries and close the connections. Idempotent."""
        self._readers.close()
        self._writers.close()

    @contextlib.contextmanager
    def _connection(self, pool: "ConnectionPool[Connection]") -> Iterator[Connection]:
        with contextlib.ExitStack() as held:
            try:
                connection = held.enter_context(pool.connection())
            except PoolTimeout:
                self._first().close()  # the pool does not say why it could not connect
                raise
            yield connection

    def _first(self) -> Connection:
        seconds = max(2, int(self.settings.connect_seconds))
        return psycopg.connect(self.settings.dsn.get_secret_value(), autocommit=True, connect_timeout=seconds)

    def _configure(self, connection: Connection, seconds: float) -> None:
        for name in ("text", "uuid"):
            connection.adapters.register_loader(name, ByteaBinaryLoader)
        options = {
            "search_path": f'"{self.schema}"',
            "statement_timeout": f"{int(seconds * 1000)}ms",
            "idle_in_transaction_session_timeout": "60s",
            "timezone": "UTC",
            "jit": "off",
            "work_mem": "32MB",
            "random_page_cost": "1.1",
            "synchronous_commit": "on",
            "application_name": "baton",
            "client_encoding": "UTF8",
        }
        for name, value in options.items():
            connection.execute(sql.SQL("SET {} = {}").format(sql.Identifier(name), _value(name, value)))


class _Stop:
    """Ends what runs on a connection; `is_pending` when the server may not have taken that up yet."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.is_pending = False

    def __call__(self) -> None:
        try:
            with port_errors():
                self._connection.cancel_safe(timeout=_CANCEL_SECONDS)
        except StorageUnavailable:
            self.is_pending = True
            raise


def _value(name: str, value: str) -> sql.Composable:
    return sql.SQL(value) if name == "search_path" else sql.Literal(value)


def check_version(server_version: int) -> None:
    """Refuse a server that is too old; `server_version` as libpq gives it: 150004 is 15.4, 90624 is 9.6.24.

    Raises: StorageRejected.
    """
    major = server_version // 10_000
    if major < MIN_VERSION:
        raise StorageRejected(f"this server is PostgreSQL {major}; Baton needs {MIN_VERSION} or newer")


def _check_encoding(connection: Connection) -> None:
    row = connection.execute("SHOW server_encoding").fetchone()
    if row is None or row[0] != "UTF8":
        raise StorageRejected(f"the database's encoding is {row[0] if row else 'unknown'}; Baton needs UTF8")


def _lower_collation(connection: Connection) -> str:
    """Return the first collation that knows letters beyond ASCII; none: such letters are compared as they are."""
    for collation in _LOWERS:
        with contextlib.suppress(psycopg.errors.UndefinedObject, psycopg.errors.FeatureNotSupported):
            row = connection.execute(f"SELECT lower('ÄΩ' {collation})".encode()).fetchone()
            if row and row[0] == "äω":
                return collation
    return ""


def _has_lz4(connection: Connection) -> bool:
    row = connection.execute("SELECT enumvals FROM pg_settings WHERE name = 'default_toast_compression'").fetchone()
    return bool(row and "lz4" in row[0])


def quoted(names: Sequence[str]) -> str:
    """Return names as a list of SQL identifiers."""
    return ", ".join(f'"{name}"' for name in names)
