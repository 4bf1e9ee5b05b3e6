"""The schema version: numbered .sql files, each applied in one transaction with its entry in `schema_migrations`."""

from importlib.resources import files

from storage.errors import StorageRejected
from storage.postgres.database import Connection, Database

LOCK = 0x6261746F6E  # "baton": one process migrates at a time


def migrate(database: Database) -> list[str]:
    """Bring the store to this code's schema version; return the names of the migrations applied now.

    Raises: StorageRejected when the store is newer than the code; StorageUnavailable when the role may not create.
    """
    known = scripts()
    if _is_current(database, max(known)):
        return []  # a role that may only read and write has nothing to create
    applied = []
    with database.transaction() as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{database.schema}"'.encode())
        connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations (version integer PRIMARY KEY, name text NOT NULL,"
            " applied_at timestamptz NOT NULL DEFAULT now())"
        )
        if database.lz4:
            connection.execute("SET LOCAL default_toast_compression = 'lz4'")
        done = _versions(connection)
        if max(done, default=0) > max(known):
            message = (
                f"the store has schema version {max(done)}, this version of Baton knows up to {max(known)}: upgrade it"
            )
            raise StorageRejected(message)
        for version in sorted(set(known) - done):
            name, script = known[version]
            connection.execute(script.encode())
            connection.execute("INSERT INTO schema_migrations (version, name) VALUES (%s, %s)", (version, name))
            applied.append(name)
    return applied


def scripts() -> dict[int, tuple[str, str]]:
    """Return the migrations by version: name and SQL."""
    found = {}
    for entry in files("storage.postgres").joinpath("sql/migrations").iterdir():
        if entry.name.endswith(".sql"):
            found[int(entry.name[:4])] = (entry.name.removesuffix(".sql"), entry.read_text(encoding="utf-8"))
    return found


def _is_current(database: Database, newest: int) -> bool:
    table = f'"{database.schema}".schema_migrations'
    rows = database.query("SELECT to_regclass(%(table)s) IS NOT NULL", {"table": table})
    return bool(rows[0][0]) and database.query("SELECT max(version) FROM schema_migrations")[0][0] == newest


def _versions(connection: Connection) -> set[int]:
    return {row[0] for row in connection.execute("SELECT version FROM schema_migrations").fetchall()}
