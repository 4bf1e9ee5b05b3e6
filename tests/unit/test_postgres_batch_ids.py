"""The ids of stored batches are remembered for days, not for ever."""

import os

import psycopg

from storage.agents import AgentStorage
from storage.api import RetentionPolicy
from tests.contract.items import NOW, batch, span
from tests.postgres import SERVER, new_database


def test_old_ids_go_even_where_no_item_ever_does(postgres_engine: AgentStorage) -> None:
    postgres_engine.purge()
    with psycopg.connect(new_database(os.environ[SERVER], "shared"), autocommit=True) as connection:
        connection.execute("SET search_path TO baton")
        postgres_engine.write(batch([span()], id="old"))
        connection.execute("UPDATE batches SET written_at = now() - interval '8 days'")
        postgres_engine.write(batch([span()], id="new"))
        assert postgres_engine.enforce_retention(RetentionPolicy(None, None, None), NOW) == []
        assert connection.execute("SELECT id FROM batches").fetchall() == [("new",)]
