"""The schema version: numbered .sql files, applied in order, each recorded in `schema_migrations`."""

from importlib.resources import files

from storage.clickhouse.dialect import Dialect
from storage.clickhouse.engine import Engine
from storage.errors import StorageRejected

_CREATE = """
CREATE TABLE schema_migrations {on_cluster}
(version UInt32, name String, applied_at DateTime DEFAULT now())
ENGINE = {merge_tree} ORDER BY version
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
"""


def migrate(engine: Engine) -> list[str]:
    """Bring the store to this code's schema version; return the names of the migrations applied now.

    A migration that a crash interrupted is run again, so each statement is written to be repeatable: `CREATE TABLE`
    becomes `CREATE TABLE IF NOT EXISTS`. That is also what lets several processes migrate at once, and gives a server
    that joins a cluster its tables. Raises StorageRejected when the store is newer than the code.
    """
    for statement in statements(_CREATE, engine.dialect):
        engine.command(statement)
    rows = engine.query("SELECT version, name FROM schema_migrations ORDER BY version")
    done = set(rows["version"].to_pylist())
    known = scripts()
    newest = max(done, default=0)
    if newest > max(known):
        message = f"the store has schema version {newest}, this version of Baton knows up to {max(known)}: upgrade it"
        raise StorageRejected(message)
    pending = set(known) - done
    for version in sorted(known if _has_newcomers(engine) else pending):
        name, sql = known[version]
        for statement in statements(sql, engine.dialect):
            engine.command(statement)
        if version in pending:
            engine.command(f"INSERT INTO schema_migrations (version, name) VALUES ({version}, '{name}')")
    return [known[version][0] for version in sorted(pending)]


def _has_newcomers(engine: Engine) -> bool:
    """Tell whether a server of the cluster lacks tables."""
    question = engine.dialect.servers_without("removals")
    return question is not None and engine.query(question)["servers"][0].as_py() > 0


def statements(sql: str, dialect: Dialect) -> list[str]:
    """Split a script at `;`, drop `--` lines, make creation repeatable, fill in the dialect."""
    lines = [line for line in sql.splitlines() if not line.lstrip().startswith("--")]
    text = "\n".join(lines)
    for kind in ("TABLE", "VIEW"):
        text = text.replace(f"CREATE {kind} ", f"CREATE {kind} IF NOT EXISTS ")
    written = [statement.strip() for statement in text.split(";") if statement.strip()]
    return [filled for statement in written for filled in dialect.statements(statement)]


def scripts() -> dict[int, tuple[str, str]]:
    """Return the migrations by version: name and SQL."""
    found = {}
    for entry in files("storage.clickhouse").joinpath("sql/migrations").iterdir():
        if entry.name.endswith(".sql"):
            found[int(entry.name[:4])] = (entry.name.removesuffix(".sql"), entry.read_text(encoding="utf-8"))
    return found
