"""Schema versions of the ClickHouse store."""

import pytest

from storage.agents import AgentStorage
from storage.clickhouse.dialect import ClusterDialect, Dialect
from storage.clickhouse.engine import Engine
from storage.clickhouse.migrations import migrate, scripts, statements
from storage.clickhouse.storage import ClickHouseStorage
from storage.errors import StorageRejected


@pytest.fixture
def port(engine: AgentStorage) -> Engine:
    assert isinstance(engine, ClickHouseStorage)
    return engine._engine


def test_a_second_run_has_nothing_to_do(port: Engine) -> None:
    assert migrate(port) == []


def test_an_interrupted_migration_is_run_again(port: Engine) -> None:
    port.command("ALTER TABLE schema_migrations DELETE WHERE version = 2 SETTINGS mutations_sync = 2")
    assert migrate(port) == ["0002_catalogue"]
    assert migrate(port) == []


def test_a_store_from_the_future_is_refused(port: Engine) -> None:
    port.command("INSERT INTO schema_migrations (version, name) VALUES (9999, 'later')")
    with pytest.raises(StorageRejected, match="9999"):
        migrate(port)
    port.command("ALTER TABLE schema_migrations DELETE WHERE version = 9999 SETTINGS mutations_sync = 2")
    assert migrate(port) == []


SCRIPT = """
-- why; not a statement
CREATE TABLE removals {on_cluster} (id String) ENGINE = {merge_tree} ORDER BY id SETTINGS {deduplication};

CREATE TABLE transfers {on_cluster} (id String) ENGINE = {replacing}(v, is_deleted) ORDER BY id;
ALTER TABLE spans {on_cluster} ADD INDEX IF NOT EXISTS a b TYPE minmax;
ALTER TABLE spans {on_cluster} ADD COLUMN IF NOT EXISTS c UInt8;
CREATE VIEW span_view {on_cluster} AS SELECT 1 FROM spans;
"""


def test_statements_are_filled_in_and_repeatable() -> None:
    assert statements(SCRIPT, Dialect()) == [
        "CREATE TABLE IF NOT EXISTS removals  (id String) ENGINE = MergeTree ORDER BY id"
        " SETTINGS non_replicated_deduplication_window = 1000",
        "CREATE TABLE IF NOT EXISTS transfers  (id String) ENGINE = ReplacingMergeTree(v, is_deleted) ORDER BY id",
        "ALTER TABLE spans  ADD INDEX IF NOT EXISTS a b TYPE minmax",
        "ALTER TABLE spans  ADD COLUMN IF NOT EXISTS c UInt8",
        "CREATE VIEW IF NOT EXISTS span_view  AS SELECT 1 FROM spans",
    ]


def test_a_cluster_has_replicated_tables_with_distributed_ones_over_them() -> None:
    place = "'/clickhouse/tables/{shard}/{database}/{table}', '{replica}'"
    assert statements(SCRIPT, ClusterDialect("c", "db", 9)) == [
        "CREATE TABLE IF NOT EXISTS removals_local ON CLUSTER 'c' (id String)"
        f" ENGINE = ReplicatedMergeTree({place}) ORDER BY id"
        " SETTINGS replicated_deduplication_window = 9, replicated_deduplication_window_seconds = 604800",
        "CREATE TABLE IF NOT EXISTS removals ON CLUSTER 'c' AS removals_local"
        " ENGINE = Distributed('c', 'db', 'removals_local', cityHash64(id))",
        "CREATE TABLE IF NOT EXISTS transfers_local ON CLUSTER 'c' (id String)"
        f" ENGINE = ReplicatedReplacingMergeTree({place}, v, is_deleted) ORDER BY id",
        "CREATE TABLE IF NOT EXISTS transfers ON CLUSTER 'c' AS transfers_local"
        " ENGINE = Distributed('c', 'db', 'transfers_local', cityHash64(group_key))",
        "ALTER TABLE spans_local ON CLUSTER 'c' ADD INDEX IF NOT EXISTS a b TYPE minmax",
        "ALTER TABLE spans_local ON CLUSTER 'c' ADD COLUMN IF NOT EXISTS c UInt8",
        "ALTER TABLE spans ON CLUSTER 'c' ADD COLUMN IF NOT EXISTS c UInt8",
        "CREATE VIEW IF NOT EXISTS span_view ON CLUSTER 'c' AS SELECT 1 FROM `db`.spans",
    ]


def test_the_engine_understands_every_statement_for_a_cluster(port: Engine) -> None:
    """Replication cannot run inside one process; what it would be told can be read."""
    for _, sql in scripts().values():
        for statement in statements(sql, ClusterDialect("c", "db", 9)):
            assert "{" not in statement.replace("{shard}/{database}/{table}", "").replace("{replica}", "")
            port.query(f"EXPLAIN AST {statement}")
