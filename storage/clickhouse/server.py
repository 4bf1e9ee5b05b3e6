"""ClickHouse on a server or a cluster, through clickhouse-connect.

Other Baton processes may write to the same tables. On a cluster, an insert goes through a Distributed table, which
splits it by the shard of each row, and returns when a quorum of each shard's replicas has its part. The token travels
along, so that each shard stores its part once.
"""

import contextlib
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import pyarrow as pa
from clickhouse_connect.driver.client import Client
from urllib3.exceptions import HTTPError

from storage.agents import AgentStorage
from storage.clickhouse.connections import Connections
from storage.clickhouse.dialect import ClusterDialect, Dialect
from storage.clickhouse.engine import Parameters, Settings
from storage.clickhouse.marks import Marks
from storage.clickhouse.options import INSERT, deduplication
from storage.clickhouse.settings import ServerSettings
from storage.clickhouse.setup import prepare, setup_errors
from storage.clickhouse.storage import open_storage
from storage.errors import StorageUnavailable

# Servers that are down do their part of a statement when they are back.
_STATEMENT: Settings = {"max_execution_time": 0, "distributed_ddl_output_mode": "throw_only_active"}


class ServerEngine:
    """`Engine` over the HTTP interface of ClickHouse servers."""

    def __init__(self, settings: ServerSettings) -> None:
        """Connect, and see that the servers can be used; see `prepare` for what is raised."""
        self._settings = settings
        self._connections = Connections(settings)
        self._marks = Marks()
        try:
            self._version = prepare(self._connections, settings)
        except BaseException:
            self._connections.close()
            raise

    @property
    def name(self) -> str:
        """Name and version, for people."""
        where = f"cluster {self._settings.cluster}" if self._settings.cluster else "server"
        return f"ClickHouse {where} {self._version}"

    @property
    def exclusive(self) -> bool:
        """Any number of processes may write."""
        return False

    @property
    def dialect(self) -> Dialect:
        """Plain tables on one server, replicated and distributed ones on a cluster."""
        given = self._settings
        if given.cluster:
            return ClusterDialect(given.cluster, given.database, given.deduplication_window)
        return Dialect(given.deduplication_window)

    def query(self, sql: str, parameters: Parameters | None = None, settings: Settings | None = None) -> pa.Table:
        """See `Engine.query`."""
        bound = dict(parameters or {})

        def ask(client: Client) -> bytes:
            beside = partial(self._connections.run_beside, client)
            with self._marks.marked(settings, beside) as marked:
                return client.raw_query(sql, bound, dict(marked), "ArrowStream")

        data = self._connections.run(ask)
        with _whole_answers(), pa.ipc.open_stream(pa.py_buffer(data)) as reader:
            return reader.read_all()

    def stream(
        self, sql: str, parameters: Parameters | None = None, settings: Settings | None = None
    ) -> Iterator[pa.Table]:
        """See `Engine.stream`."""
        bound, options = dict(parameters or {}), dict(settings or {})
        response: Any = self._connections.run(lambda client: client.raw_stream(sql, bound, options, "ArrowStream"))
        try:
            with _whole_answers(), pa.ipc.open_stream(response) as reader:
                for block in reader:
                    yield pa.Table.from_batches([block])
        finally:
            response.close()
            response.release_conn()  # else its place among the connections is lost

    def command(self, sql: str, parameters: Parameters | None = None) -> None:
        """See `Engine.command`."""
        bound, options = dict(parameters or {}), dict(_STATEMENT)
        self._connections.run(lambda client: client.command(sql, bound, settings=options), writing=True)

    def insert(self, table: str, columns: Sequence[str], rows: pa.Table, token: str = "") -> bool:
        """See `Engine.insert`. False may also mean that another process repeated an insert at the same time."""
        body = _serialized(rows.select(list(columns)).combine_chunks(), self._settings.compression)
        options = {**INSERT, **deduplication(token), **self._insert_options()}

        def send(client: Client) -> bool:
            # Where tables are replicated, token and rows are noted together; only one server may have one alone.
            counted = bool(token) and self._settings.cluster is None
            before = _duplicates(client) if counted else b""
            client.raw_insert(table, list(columns), body, options, "ArrowStream")
            return not counted or _duplicates(client) == before

        return self._connections.run(send, writing=True)

    def close(self) -> None:
        """See `Engine.close`."""
        self._connections.close()

    def _insert_options(self) -> Settings:
        if self._settings.cluster is None:
            return {}
        return {
            "distributed_foreground_insert": 1,
            "insert_quorum": self._settings.insert_quorum,
            "insert_quorum_timeout": int(self._settings.write_seconds * 1000),
        }


def open_server(settings: ServerSettings) -> AgentStorage:
    """Open (creating or migrating it if need be) the store on a server or a cluster.

    Raises: StorageUnavailable when no server answers; StorageRejected when a newer version wrote the store, or somebody
    has to set something up.
    """
    engine = ServerEngine(settings)
    try:
        with setup_errors(settings):
            return open_storage(engine)
    except BaseException:
        engine.close()
        raise


def _serialized(rows: pa.Table, compressed: bool) -> bytes:
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="lz4" if compressed else None)
    with pa.ipc.new_stream(sink, rows.schema, options=options) as writer:
        writer.write_table(rows)
    body: bytes = sink.getvalue().to_pybytes()
    return body


def _duplicates(client: Client) -> bytes:
    sql = "SELECT value FROM system.events WHERE event = 'DuplicatedInsertedBlocks'"
    return bytes(client.raw_query(sql, fmt="TSV"))


@contextlib.contextmanager
def _whole_answers() -> Iterator[None]:
    """An answer that breaks off, or holds an error in its middle, is not Arrow."""
    try:
        yield
    except (pa.ArrowInvalid, HTTPError, OSError) as error:
        raise StorageUnavailable(f"the answer broke off: {error}") from error
