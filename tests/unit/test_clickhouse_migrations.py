"""Schema versions of the ClickHouse store."""

import pytest

from storage.agents import AgentStorage
from storage.clickhouse.engine import Dialect, Engine
from storage.clickhouse.migrations import migrate, statements
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


def test_statements_are_filled_in_and_repeatable() -> None:
    script = "-- why; not a statement\nCREATE TABLE a {on_cluster} (x Int8) ENGINE = {merge_tree};\n\nCREATE TABLE b;\n"
    fill = {"merge_tree": "ReplicatedMergeTree", "replacing": "x", "on_cluster": "ON CLUSTER c"}
    assert statements(script, fill) == [
        "CREATE TABLE IF NOT EXISTS a ON CLUSTER c (x Int8) ENGINE = ReplicatedMergeTree",
        "CREATE TABLE IF NOT EXISTS b",
    ]
    assert Dialect().on_cluster == ""
