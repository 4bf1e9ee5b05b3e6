"""A real PostgreSQL server for tests, and stores on databases of their own in it."""

import fcntl
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
PROGRAMS = os.environ.get("BATON_TEST_POSTGRES_PROGRAMS")  # a folder with other programs than this machine's newest

# Nothing here survives the machine; what tests kill are processes, which loses no written page.
_OPTIONS = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "128MB", "max_wal_size": "1GB"}


@contextmanager
def running_server(**options: str) -> Iterator[LocalServer]:
    """Start a server in a folder that its user may write to, and remove both afterwards."""
    with tempfile.TemporaryDirectory(prefix="baton-pg-", ignore_cleanup_errors=True) as folder:
        server = LocalServer(Path(folder), _OPTIONS | options, programs())
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


def open_hypertables(folder: Path) -> AgentStorage:
    """Open the store that belongs to a folder's path: a database of the running server, with hypertables."""
    return open_database(f"chunks{abs(hash_of(str(folder)))}", timescaledb=True)


def open_folder(folder: Path) -> AgentStorage:
    """Open the store that belongs to a folder's path: a database of the running server."""
    return open_database(f"folder{abs(hash_of(str(folder)))}")


def hash_of(text: str) -> int:
    """Return the same number in every process."""
    return int.from_bytes(text.encode()[-24:], "big") % 2**61


def programs() -> Path:
    """Return the folder of the server's programs, installing them where there are none."""
    install()
    return Path(PROGRAMS) if PROGRAMS else find_binaries()


def has_timescale() -> bool:
    """Tell whether the server's programs come with TimescaleDB: beside them, or where Debian keeps such files."""
    try:
        folder = Path(PROGRAMS) if PROGRAMS else find_binaries()
    except StorageUnavailable:
        return False  # what `install` installs has none
    places = [folder.parent / "share", *(top / "share/postgresql" / folder.parent.name for top in folder.parents)]
    return any((place / "extension" / "timescaledb.control").exists() for place in places)


def install() -> None:
    """Install PostgreSQL's programs where there are none: this suite runs everywhere or fails."""
    with Path(tempfile.gettempdir(), f"baton-install-postgres-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # `make test` runs two parts of the suite at once
        try:
            find_binaries()
        except StorageUnavailable:
            script = Path(__file__).parent / "install-postgres"
            subprocess.run([str(script)], check=True, stdout=sys.stderr)
