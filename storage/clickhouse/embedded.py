"""The embedded engine: ClickHouse inside this process (chDB), one folder, one process.

The engine installs handlers for deadly signals when it opens, and may leave SIGINT and SIGTERM blocked to handlers
installed before: install yours after `open_embedded`. Never fork once it is open: it runs threads.
"""

import contextlib
import fcntl
import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pyarrow as pa

from storage.agents import AgentStorage
from storage.clickhouse.dialect import Dialect
from storage.clickhouse.engine import Parameters, Settings
from storage.clickhouse.errors import raise_port_error
from storage.clickhouse.marks import Marks
from storage.clickhouse.options import INSERT, deduplication, limits
from storage.clickhouse.settings import MIB, EmbeddedSettings
from storage.clickhouse.storage import open_storage
from storage.errors import StorageUnavailable

_DATABASE = "baton"
_LOCK_FILE = "baton.lock"


def _engine_options(settings: EmbeddedSettings) -> dict[str, str | int]:
    """Return server settings: small caches and few threads, because the collector shares the process."""
    return {
        "max_server_memory_usage": settings.memory_bytes,
        "mark_cache_size": 48 * MIB,
        "index_mark_cache_size": 16 * MIB,
        "primary_index_cache_size": 48 * MIB,
        "uncompressed_cache_size": 0,
        "index_uncompressed_cache_size": 0,
        "mmap_cache_size": 0,
        "query_condition_cache_size": 8 * MIB,
        "compiled_expression_cache_size": 8 * MIB,
        "background_pool_size": 2,
        "background_merges_mutations_concurrency_ratio": 1,
        "background_common_pool_size": 2,
        "background_move_pool_size": 1,
        "background_fetches_pool_size": 1,
        "background_schedule_pool_size": 4,
        "max_thread_pool_size": 200,
    }


def _session_options(settings: EmbeddedSettings) -> dict[str, str | int | float]:
    """Return the settings of every query that does not set its own."""
    given = limits(settings.query_threads, settings.query_memory_bytes, settings.query_seconds)
    return given | {"output_format_arrow_compression_method": "none", "log_queries": 0}


class EmbeddedEngine:
    """`Engine` over chDB: a pool of connections to the one engine this process can host."""

    def __init__(self, path: Path, settings: EmbeddedSettings) -> None:
        """Open the folder. Raises StorageUnavailable when another process (or path) holds the engine."""
        path.mkdir(mode=0o700, parents=True, exist_ok=True)  # the engine lets everybody read its files
        self._lock_file = _lock(path / _LOCK_FILE)
        options = urlencode(_engine_options(settings) | _session_options(settings))
        self._address = f"{path.resolve()}?{options}"
        self._free: queue.LifoQueue[Any] = queue.LifoQueue()
        self._slots = threading.Semaphore(settings.connections)
        self._limit = settings.connections
        self._closed = False
        self._marks = Marks()
        try:
            first = _connect(self._address)
            first.query(f"CREATE DATABASE IF NOT EXISTS {_DATABASE} ENGINE = Atomic")
            first.query(f"USE {_DATABASE}")
            version = first.query("SELECT version()", "TSV").bytes().decode().strip()
        except RuntimeError as error:
            os.close(self._lock_file)
            raise_port_error(error, writing=True)
        self._free.put(first)
        self._name = f"embedded ClickHouse {version}"

    @property
    def name(self) -> str:
        """Name and version, for people."""
        return self._name

    @property
    def exclusive(self) -> bool:
        """One process holds the folder."""
        return True

    @property
    def dialect(self) -> Dialect:
        """Plain MergeTree tables."""
        return Dialect()

    def query(self, sql: str, parameters: Parameters | None = None, settings: Settings | None = None) -> pa.Table:
        """See `Engine.query`."""
        with self._connection() as connection, self._marks.marked(settings, self._run_beside) as marked:
            try:
                result = connection.query(sql + _settings_clause(marked), "ArrowStream", params=parameters)
            except RuntimeError as error:
                raise_port_error(error)
            data = result.bytes()
        with pa.ipc.open_stream(pa.py_buffer(data)) as reader:
            return reader.read_all()

    def stream(
        self, sql: str, parameters: Parameters | None = None, settings: Settings | None = None
    ) -> Iterator[pa.Table]:
        """See `Engine.stream`. It has a connection of its own until it ends."""
        with self._connection() as connection:
            try:
                # Each block is a whole Arrow stream.
                for block in connection.send_query(sql + _settings_clause(settings), "ArrowStream", params=parameters):
                    with pa.ipc.open_stream(pa.py_buffer(block.bytes())) as reader:
                        yield reader.read_all()
            except RuntimeError as error:
                raise_port_error(error)

    def command(self, sql: str, parameters: Parameters | None = None) -> None:
        """See `Engine.command`."""
        with self._connection() as connection:
            try:
                connection.query(sql, "Null", params=parameters)
            except RuntimeError as error:
                raise_port_error(error, writing=True)

    def insert(self, table: str, columns: Sequence[str], rows: pa.Table, token: str = "") -> bool:
        """See `Engine.insert`. One caller at a time, else the duplicate count may be another's."""
        rows = rows.select(list(columns)).combine_chunks()  # the engine finds it by its name: `Python(rows)`
        names = ", ".join(columns)
        settings = _settings_clause({**INSERT, **deduplication(token)})
        sql = f"INSERT INTO {table} ({names}) SELECT {names} FROM Python(rows)" + settings
        with self._connection() as connection:
            try:
                before = _duplicates(connection)
                connection.query(sql, "Null")
                return not token or _duplicates(connection) == before
            except RuntimeError as error:
                raise_port_error(error, writing=True)

    def close(self) -> None:
        """See `Engine.close`."""
        if self._closed:
            return
        self._closed = True
        for _ in range(self._limit):
            self._slots.acquire()
        while not self._free.empty():
            self._free.get().close()
        os.close(self._lock_file)
        self._slots.release(self._limit)  # who waits for a connection must hear that there is none any more

    @contextlib.contextmanager
    def _connection(self) -> Iterator[Any]:
        with self._slots:
            if self._closed:
                raise StorageUnavailable("the store is closed")
            try:
                connection = self._free.get_nowait()
            except queue.Empty:
                connection = self._open_connection()
            try:
                yield connection
            except BaseException:
                # What a failed query had written already would be the start of this connection's next answer.
                self._free.put(self._open_connection())
                connection.close()
                raise
            self._free.put(connection)

    def _run_beside(self, sql: str) -> None:
        """Run a statement though every connection may be in use."""
        with contextlib.closing(self._open_connection()) as connection:
            try:
                connection.query(sql, "Null")
            except RuntimeError as error:
                raise_port_error(error)

    def _open_connection(self) -> Any:
        try:
            connection = _connect(self._address)
            connection.query(f"USE {_DATABASE}")
        except RuntimeError as error:
            raise_port_error(error, writing=True)
        return connection


def open_embedded(path: Path | str, settings: EmbeddedSettings | None = None) -> AgentStorage:
    """Open (creating or migrating it if need be) the store in a folder.

    Raises: StorageUnavailable when another process holds the folder; StorageRejected when a newer version wrote it.
    """
    engine = EmbeddedEngine(Path(path), settings or EmbeddedSettings())
    try:
        return open_storage(engine)
    except BaseException:
        engine.close()
        raise


def _connect(address: str) -> Any:
    # Imported late: loading the engine takes 250 MB, which other engines should not pay.
    import chdb  # noqa: PLC0415

    connect: Callable[[str], Any] = chdb.connect
    return connect(address)


def _lock(path: Path) -> int:
    """Take the folder's lock; the kernel lets go of it when the process ends, however it ends."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        message = f"another process (or store object) has the folder {path.parent} open"
        raise StorageUnavailable(message) from error
    return descriptor


def _settings_clause(settings: Settings | None) -> str:
    """Return ` SETTINGS …`; texts are quoted with the two characters that matter escaped."""
    if not settings:
        return ""
    return " SETTINGS " + ", ".join(f"{name} = {_literal(value)}" for name, value in settings.items())


def _literal(value: str | int) -> str:
    if isinstance(value, int):
        return str(value)
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _duplicates(connection: Any) -> bytes:
    sql = "SELECT value FROM system.events WHERE event = 'DuplicatedInsertedBlocks'"
    return bytes(connection.query(sql, "TSV").bytes())
