"""A real PostgreSQL server for tests, and stores on databases of their own in it."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
from pydantic import SecretStr

from storage.agents import AgentStorage
from storage.errors import StorageUnavailable
from storage.postgres.local import LocalServer, find_binaries
from storage.postgres.settings import PostgresSettings
from storage.postgres.storage import open_postgres

SERVER = "BATON_TEST_POSTGRES"  # the running server's connection string, for child processes

# Nothing here survives the machine; what tests kill are processes, which loses no written page.
_OPTIONS = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "128MB", "max_wal_size": "1GB"}


@contextmanager
def running_server() -> Iterator[LocalServer]:
    """Start a server in a folder that its user may write to, and remove both afterwards."""
    install()
    with tempfile.TemporaryDirectory(prefix="baton-pg-", ignore_cleanup_errors=True) as folder:
        server = LocalServer(Path(folder), _OPTIONS)
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")


def new_database(dsn: str, name: str) -> str:
    """Make a database unless it is there; return its connection string."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        found = connection.execute("SELECT FROM pg_database WHERE datname = %s", (name,)).fetchone()
        if found is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return psycopg.conninfo.make_conninfo(dsn, dbname=name)


def open_database(name: str, **settings: object) -> AgentStorage:
    """Open a store on a database of the running server."""
    dsn = new_database(os.environ[SERVER], name)
    return open_postgres(PostgresSettings.model_validate({"dsn": SecretStr(dsn), **settings}))


def open_folder(folder: Path) -> AgentStorage:
    """Open the store that belongs to a folder's path: a database of the running server."""
    return open_database(f"folder{abs(hash_of(str(folder)))}")


def hash_of(text: str) -> int:
    """Return the same number in every process."""
    return int.from_bytes(text.encode()[-24:], "big") % 2**61


def install() -> None:
    """Install PostgreSQL's programs where there are none: this suite runs everywhere or fails."""
    try:
        find_binaries()
    except StorageUnavailable:
        script = Path(__file__).parent / "install-postgres"
        subprocess.run([str(script)], check=True, stdout=sys.stderr)
