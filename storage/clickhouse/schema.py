"""The schema version of a ClickHouse store, seen from outside."""

from pathlib import Path

from storage.clickhouse.embedded import EmbeddedEngine
from storage.clickhouse.engine import Engine
from storage.clickhouse.migrations import migrate, scripts
from storage.clickhouse.server import ServerEngine
from storage.clickhouse.settings import EmbeddedSettings, ServerSettings
from storage.schema_version import Schema, SchemaState


class ClickHouseSchema:
    """`storage.schema_version.Schema` over any ClickHouse; owns the engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def engine(self) -> str:
        """See `Schema.engine`."""
        return self._engine.name

    def state(self) -> SchemaState:
        """See `Schema.state`."""
        known = scripts()
        tables = "SELECT count() AS tables FROM system.tables WHERE database = currentDatabase() AND name = "
        done: set[int] = set()
        if self._engine.query(f"{tables}'schema_migrations'")["tables"][0].as_py():
            done = set(self._engine.query("SELECT version FROM schema_migrations")["version"].to_pylist())
        pending = tuple(known[version][0] for version in sorted(set(known) - done))
        return SchemaState(max(done, default=0), max(known), pending)

    def migrate(self) -> list[str]:
        """See `Schema.migrate`."""
        return migrate(self._engine)

    def close(self) -> None:
        """See `Schema.close`."""
        self._engine.close()


def open_embedded_schema(path: Path, settings: EmbeddedSettings | None = None) -> Schema:
    """Open a folder without touching its tables. Raises StorageUnavailable when another process holds it."""
    return ClickHouseSchema(EmbeddedEngine(path, settings or EmbeddedSettings()))


def open_server_schema(settings: ServerSettings) -> Schema:
    """Connect without touching tables; see `ServerEngine` for what is raised."""
    return ClickHouseSchema(ServerEngine(settings))
