"""The schema version: numbered .sql files, applied in order, each recorded in `schema_migrations`."""

from dataclasses import asdict
from importlib.resources import files

from storage.clickhouse.engine import Engine
from storage.errors import StorageRejected

_CREATE = """
CREATE TABLE IF NOT EXISTS schema_migrations {on_cluster}
(version UInt32, name String, applied_at DateTime DEFAULT now())
ENGINE = {merge_tree} ORDER BY version
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
"""


def migrate(engine: Engine) -> list[str]:
    """Bring the store to this code's schema version; return the names of the migrations applied now.

    A migration that a crash interrupted is run again, so each statement is written to be repeatable: `CREATE TABLE`
    becomes `CREATE TABLE IF NOT EXISTS`. Raises StorageRejected when the store is newer than the code.
    """
    fill = asdict(engine.dialect)
    engine.command(_CREATE.format(**fill))
    rows = engine.query("SELECT version, name FROM schema_migrations ORDER BY version")
    done = set(rows["version"].to_pylist())
    known = scripts()
    newest = max(done, default=0)
    if newest > max(known):
        message = f"the store has schema version {newest}, this version of Baton knows up to {max(known)}: upgrade it"
        raise StorageRejected(message)
    applied = []
    for version in sorted(set(known) - done):
        name, sql = known[version]
        for statement in statements(sql, fill):
            engine.command(statement)
        engine.command(f"INSERT INTO schema_migrations (version, name) VALUES ({version}, '{name}')")
        applied.append(name)
    return applied


def statements(sql: str, fill: dict[str, str]) -> list[str]:
    """Split a script at `;`, drop `--` lines, fill in the dialect, make creation repeatable."""
    lines = [line for line in sql.splitlines() if not line.lstrip().startswith("--")]
    text = "\n".join(lines)
    for kind in ("TABLE", "VIEW"):
        text = text.replace(f"CREATE {kind} ", f"CREATE {kind} IF NOT EXISTS ")
    for name, value in fill.items():
        text = text.replace("{" + name + "}", value)
    return [statement.strip() for statement in text.split(";") if statement.strip()]


def scripts() -> dict[int, tuple[str, str]]:
    """Return the migrations by version: name and SQL."""
    found = {}
    for entry in files("storage.clickhouse").joinpath("sql/migrations").iterdir():
        if entry.name.endswith(".sql"):
            found[int(entry.name[:4])] = (entry.name.removesuffix(".sql"), entry.read_text(encoding="utf-8"))
    return found
