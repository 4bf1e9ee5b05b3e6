"""Agent transfers of a store that is copied: copied too, and looked for again where both ends have a part."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pyarrow as pa

from collector.journal.checkpoint import Checkpoint
from collector.processors.agent_stream.evaluate import Evaluator
from collector.processors.agent_stream.stage import TransferSettings, TransferStage
from collector.processors.agent_stream.worker import RuleWorker
from storage.agents import AgentStorage, ConversationQuery, RunQuery, TransferQuery
from storage.api import Batch
from storage.errors import QueryLimitExceeded
from storage.schemas import AGENT_RUNS, LOGS, TRANSFERS
from tests.component.copying.ends import Ends
from tests.component.handoff_spans import (
    BILLING,
    BILLING_CALL,
    HANDOFF,
    START,
    TRIAGE,
    TRIAGE_CALL,
    Row,
    spans,
)
from tests.contract.items import ALL_TIME, canonical, trace_id
from tests.contract.test_agents import run, transfer


class Agents:
    """What a Baton does on a store: mark agentic rows, find transfers."""

    def __init__(self, store: AgentStorage, folder: Path, worker: RuleWorker) -> None:
        self._store, self._worker = store, worker
        state = Checkpoint(folder / "transfers.json")
        self._stage = TransferStage(TransferSettings(), store, Evaluator(store, worker), state)

    def receive(self, *rows: Row, find: bool = True) -> None:
        table = spans(*rows)
        at = START + len(rows)
        agent_spans, agent_logs = self._stage.extract(table, LOGS.empty_table(), at)
        self._store.write(Batch(f"{id(self)}-{at}", table, LOGS.empty_table(), agent_spans, agent_logs, at))
        if find:
            Evaluator(self._store, self._worker).evaluate([(1).to_bytes(16)], [])


def found(store: AgentStorage) -> list[tuple[str, str, bool]]:
    rows = store.find_transfers(TransferQuery()).to_pylist()
    return [(row["from_agent"], row["to_agent"], row["completed"]) for row in rows]


def test_transfers_and_runs_are_there_at_once(ends: Ends) -> None:
    transfers = pa.Table.from_pylist([transfer(number, trace_id(number)) for number in range(1, 8)], TRANSFERS)
    runs = pa.Table.from_pylist([run(number, "a", trace_id(number)) for number in range(1, 8)], AGENT_RUNS)
    ends.source.replace_agent_rows([trace_id(number).hex() for number in range(1, 8)], transfers, runs)
    assert ends.copy().groups == 7
    assert canonical(ends.target.find_transfers(TransferQuery())) == canonical(transfers)
    assert canonical(ends.target.find_runs(RunQuery())) == canonical(runs)


def test_a_trace_that_went_to_both_stores_is_looked_at_again(ends: Ends, tmp_path: Path, worker: RuleWorker) -> None:
    Agents(ends.source, tmp_path, worker).receive(TRIAGE, TRIAGE_CALL, HANDOFF)
    Agents(ends.target, tmp_path, worker).receive(BILLING, BILLING_CALL)
    assert found(ends.source) == [("triage", "billing", False)]
    assert ends.copy(worker).evaluated == 1
    assert found(ends.target) == [("triage", "billing", True)]
    assert len(ends.target.find_runs(RunQuery())) == 2
    assert len(ends.target.conversations(ConversationQuery(ALL_TIME))) == 0
    ends.copy(worker)
    assert found(ends.target) == [("triage", "billing", True)]


def test_a_trace_that_cannot_be_looked_at_does_not_end_the_copy(ends: Ends, tmp_path: Path, worker: RuleWorker) -> None:
    Agents(ends.source, tmp_path, worker).receive(TRIAGE, TRIAGE_CALL, HANDOFF)
    Agents(ends.target, tmp_path, worker).receive(BILLING, BILLING_CALL)
    whole, ends.target = ends.target, cast(AgentStorage, Narrow(ends.target, QueryLimitExceeded("over the memory")))
    assert ends.copy(worker).evaluated == 0
    assert found(whole) == []


class Narrow:
    """A store that says where traces are, and never answers their spans."""

    def __init__(self, store: AgentStorage, error: Exception) -> None:
        self._store, self._error = store, error

    def get_traces(self, trace_ids: Sequence[bytes], columns: Sequence[str] | None = None) -> pa.Table:
        if columns is None:
            raise self._error
        return self._store.get_traces(trace_ids, columns)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def test_what_the_source_had_not_looked_at_is_looked_at(ends: Ends, tmp_path: Path, worker: RuleWorker) -> None:
    agents = Agents(ends.source, tmp_path, worker)
    agents.receive(TRIAGE, TRIAGE_CALL, HANDOFF, BILLING, BILLING_CALL, find=False)
    assert found(ends.source) == []
    ends.copy(worker)
    assert found(ends.target) == [("triage", "billing", True)]
