"""Which engines there are: from a configuration to an open store, or to its schema. Only this module names them."""

import contextlib

from pydantic import SecretStr

from collector import settings
from collector.config.model import Config
from storage.agents import AgentStorage
from storage.clickhouse.embedded import open_embedded
from storage.clickhouse.schema import open_embedded_schema, open_server_schema
from storage.clickhouse.server import open_server
from storage.postgres.local import LocalServer
from storage.postgres.schema import open_postgres_schema
from storage.postgres.storage import open_postgres
from storage.postgres.timescale import SERVER_OPTIONS
from storage.schema_version import Schema


def open_engine(config: Config, undo: contextlib.ExitStack, *, as_guest: bool = False) -> AgentStorage:
    """Open the store that the configuration names, migrating it if need be; the caller closes it.

    A server of Baton's own is started first and stopped by `undo`; a guest leaves one running that ran before.
    Raises: StorageUnavailable, StorageRejected.
    """
    written = settings.store(config)
    if written.engine == "embedded":
        return open_embedded(settings.store_directory(config), settings.embedded(written))
    if written.engine == "clickhouse":
        return open_server(settings.clickhouse(written))
    return open_postgres(settings.postgres(written, _dsn(config, undo, as_guest)))


def open_schema(config: Config, undo: contextlib.ExitStack) -> Schema:
    """Open the store's schema only, as a guest. Raises as `open_engine` does."""
    written = settings.store(config)
    if written.engine == "embedded":
        return open_embedded_schema(settings.store_directory(config), settings.embedded(written))
    if written.engine == "clickhouse":
        return open_server_schema(settings.clickhouse(written))
    return open_postgres_schema(settings.postgres(written, _dsn(config, undo, as_guest=True)))


def is_there(config: Config) -> bool:
    """Tell whether there is a store to open; servers that are named are taken to be there."""
    written, folder = settings.store(config), settings.store_directory(config)
    if written.engine == "clickhouse":
        return True
    if written.engine == "embedded":
        return (folder / "store").is_dir()
    return written.dsn is not None or (folder / "data" / "PG_VERSION").is_file()


def _dsn(config: Config, undo: contextlib.ExitStack, as_guest: bool) -> SecretStr:
    """Return the connection string of PostgreSQL, once a server of Baton's own runs if there is none given."""
    given = settings.store(config).dsn
    if given is not None:
        return given
    options = SERVER_OPTIONS if settings.store(config).timescaledb else None
    server = LocalServer(settings.store_directory(config), options)
    ran_before = as_guest and server.is_running
    server.start()
    if not ran_before:
        undo.callback(server.stop)
    return SecretStr(server.dsn)
