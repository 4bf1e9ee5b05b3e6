"""The schema version of a PostgreSQL store, seen from outside."""

from storage.postgres.database import Database
from storage.postgres.migrations import migrate, scripts
from storage.postgres.settings import PostgresSettings
from storage.schema_version import Schema, SchemaState


class PostgresSchema:
    """`storage.schema_version.Schema` over PostgreSQL; owns the connections."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def engine(self) -> str:
        """See `Schema.engine`."""
        return self._database.name

    def state(self) -> SchemaState:
        """See `Schema.state`."""
        known = scripts()
        table = f'"{self._database.schema}".schema_migrations'
        there = self._database.query("SELECT to_regclass(%(table)s) IS NOT NULL", {"table": table})[0][0]
        done = {row[0] for row in self._database.query("SELECT version FROM schema_migrations")} if there else set()
        pending = tuple(known[version][0] for version in sorted(set(known) - done))
        return SchemaState(max(done, default=0), max(known), pending)

    def migrate(self) -> list[str]:
        """See `Schema.migrate`."""
        return migrate(self._database)

    def close(self) -> None:
        """See `Schema.close`."""
        self._database.close()


def open_postgres_schema(settings: PostgresSettings) -> Schema:
    """Connect without touching the tables. Raises as `open_postgres` does."""
    return PostgresSchema(Database(settings))
