"""HTTP connections to one server, or to several of a cluster: whichever answers is asked until it does not."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError
from clickhouse_connect.driver.httputil import get_pool_manager
from urllib3 import PoolManager
from urllib3.exceptions import ReadTimeoutError
from urllib3.util import parse_url

from storage.clickhouse.errors import raise_port_error
from storage.clickhouse.options import limits
from storage.clickhouse.settings import ServerSettings
from storage.errors import StorageUnavailable

Result = TypeVar("Result")

_READ_ONLY_REPLICA = 242  # it has lost its Keeper; others may not have


class Connections:
    """Runs requests with a client of clickhouse-connect. Thread-safe; raises only the port's errors."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._pool = _pool(settings, settings.connections)
        self._spare_pool = _pool(settings, 1)
        self._clients: dict[str, Client] = {}
        self._order = list(settings.endpoints)
        self._lock = threading.Lock()
        self._closed = False

    def run(self, request: Callable[[Client], Result], *, writing: bool = False) -> Result:
        """Return what the request returns, from the first server that answers.

        What is sent again to another server must be repeatable: inserts have tokens, or merge, or have versions.
        """
        if self._closed:
            raise StorageUnavailable("the store is closed")
        endpoints = list(self._order)
        for number, endpoint in enumerate(endpoints):
            try:
                return request(self._client(endpoint))
            except ClickHouseError as error:
                if number + 1 == len(endpoints) or not _is_elsewhere_worth_it(error):
                    raise_port_error(error, writing=writing)
                self._put_last(endpoint)
        raise StorageUnavailable("no endpoint is configured")

    def run_beside(self, client: Client, statement: str) -> None:
        """Run a statement on the server of a client that `run` gave, though every connection may be in use."""
        endpoint = next(name for name, known in self._clients.items() if known is client)
        try:
            _connect(endpoint, self._settings, self._spare_pool).command(statement)
        except ClickHouseError as error:
            raise_port_error(error)

    def close(self) -> None:
        """Close the connections; requests after this are refused. Idempotent."""
        self._closed = True
        self._pool.clear()
        self._spare_pool.clear()

    def _put_last(self, endpoint: str) -> None:
        with self._lock:
            if self._order[0] == endpoint:
                self._order = [*self._order[1:], endpoint]

    def _client(self, endpoint: str) -> Client:
        """Return the endpoint's client, connected at its first use."""
        with self._lock:
            found = self._clients.get(endpoint)
        if found is None:
            found = _connect(endpoint, self._settings, self._pool)
            with self._lock:
                found = self._clients.setdefault(endpoint, found)
        return found


def _pool(settings: ServerSettings, size: int) -> PoolManager:
    def text(path: Path | None) -> str | None:
        return str(path) if path is not None else None

    made: PoolManager = get_pool_manager(
        verify=settings.verify,
        ca_cert=text(settings.ca_file),
        client_cert=text(settings.cert_file),
        client_cert_key=text(settings.key_file),
        maxsize=size,
        block=True,
    )
    return made


def _connect(endpoint: str, settings: ServerSettings, pool: PoolManager) -> Client:
    url = parse_url(endpoint)
    made = clickhouse_connect.get_client(
        interface=url.scheme,
        host=url.host,
        port=url.port or (8443 if url.scheme == "https" else 8123),
        username=settings.username,
        password=settings.password.get_secret_value(),
        connect_timeout=settings.connect_seconds,
        send_receive_timeout=settings.write_seconds,
        autogenerate_session_id=False,  # a session takes one query at a time
        query_retries=0,
        compress=False,  # Arrow compresses by itself, column by column
        pool_mgr=pool,
        client_name="baton",
        settings=_session(settings),
    )
    made.database = settings.database  # only now, because it may have to be created first
    return made


def _session(settings: ServerSettings) -> dict[str, str | int | float]:
    """Return the settings of every request that does not set its own."""
    codec = "lz4_frame" if settings.compression else "none"
    given = limits(settings.query_threads, settings.query_memory_bytes, settings.query_seconds)
    # A subquery over a Distributed table inside one over another is answered once, and its answer sent along.
    return given | {"output_format_arrow_compression_method": codec, "distributed_product_mode": "global"}


def _is_elsewhere_worth_it(error: ClickHouseError) -> bool:
    """Tell whether another server may answer: this one is gone, but not slow: a slow query is slow everywhere."""
    code = getattr(error, "code", None)
    if code is not None:
        return bool(code == _READ_ONLY_REPLICA)
    return isinstance(error, OperationalError) and not isinstance(error.__cause__, ReadTimeoutError)
