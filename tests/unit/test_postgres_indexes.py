"""What is asked of one conversation is found by an index, not by looking at every run there is."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from storage.agents import AgentStorage, RunQuery, TransferQuery
from storage.postgres.database import Database, Row
from tests.contract.test_agents import replace, run, transfer

_ROWS = 2_000
_CONVERSATION = "conversation 7"

_READS: dict[str, Callable[[AgentStorage], object]] = {
    "traces of a conversation": lambda store: store.traces_of_conversation(_CONVERSATION, 10),
    "runs": lambda store: store.find_runs(RunQuery(conversation_id=_CONVERSATION)),
    "transfers": lambda store: store.find_transfers(TransferQuery(conversation_id=_CONVERSATION)),
    "figures": lambda store: store.agent_figures(RunQuery(conversation_id=_CONVERSATION)),
}


@pytest.fixture(scope="module")
def store(postgres_engine: AgentStorage) -> AgentStorage:
    postgres_engine.purge()
    names = [f"conversation {number // 4}" for number in range(_ROWS)]
    transfers = [transfer(number, conversation_id=name) for number, name in enumerate(names)]
    runs = [run(number, "a", conversation_id=name) for number, name in enumerate(names)]
    replace(postgres_engine, transfers, runs)
    return postgres_engine


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How the server means to answer each query."""
    query = Database.query
    found: list[str] = []

    def explained(self: Database, statement: str, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        found.append(" ".join(line.decode() for (line,) in query(self, f"EXPLAIN {statement}", parameters)))
        return query(self, statement, parameters)

    monkeypatch.setattr(Database, "query", explained)
    return found


@pytest.mark.parametrize("read", _READS)
def test_a_conversation_is_found_by_an_index(store: AgentStorage, plans: list[str], read: str) -> None:
    _READS[read](store)
    assert len(plans) == 1
    assert "md5(conversation_id)" in plans[0]
    assert "Seq Scan on agent_runs" not in plans[0]
    assert "Seq Scan on transfers" not in plans[0]
