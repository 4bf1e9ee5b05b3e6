"""`baton copy` between real engines, both ways: every bit, every copy, once; whatever was there before."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from rich.console import Console

from collector.copying import items
from collector.copying.copy import Copy, Outcome
from collector.copying.meter import meter
from collector.copying.state import CopyState
from collector.journal.checkpoint import Checkpoint
from collector.processors.agent_stream.evaluate import Evaluator
from collector.processors.agent_stream.stage import TransferSettings, TransferStage
from collector.processors.agent_stream.worker import RuleWorker
from collector.processors.agent_transfers.options import make_options
from storage.agents import AgentStorage, ConversationQuery, RunQuery, TransferQuery
from storage.api import Batch
from storage.bulk import ItemTable
from storage.errors import StorageUnavailable
from storage.queries import Signal, TraceQuery
from storage.schemas import AGENT_RUNS, LOGS, SPANS, TRANSFERS
from tests.component.test_agent_stream import (
    BILLING,
    BILLING_CALL,
    HANDOFF,
    START,
    TRIAGE,
    TRIAGE_CALL,
    spans,
)
from tests.contract.items import ALL_TIME, DAY, batch, canonical, log, numbered_batch, span, trace_id
from tests.contract.test_agents import run, transfer
from tests.contract.test_bulk import everything, read
from tests.otlp_messages import logs_data, traces_data
from tests.stored import table

ENDS = {
    "to PostgreSQL": ("engine", "postgres_engine"),
    "to the embedded engine": ("postgres_engine", "engine"),
    "to a ClickHouse cluster": ("engine", "clickhouse_cluster"),
}


@pytest.fixture(params=ENDS)
def stores(request: pytest.FixtureRequest) -> tuple[AgentStorage, AgentStorage]:
    """Return an empty source and an empty target."""
    source, target = (request.getfixturevalue(name) for name in ENDS[request.param])
    source.purge()
    target.purge()
    return source, target


@pytest.fixture(scope="module")
def worker() -> Iterator[RuleWorker]:
    instance = RuleWorker(make_options())
    yield instance
    instance.close()


class Ends:
    """A source, a target and a state file."""

    def __init__(self, stores: tuple[AgentStorage, AgentStorage], folder: Path) -> None:
        self.source, self.target = stores
        self.file = folder / "copy.json"

    def copy(
        self, worker: RuleWorker | None = None, stop: Callable[[], None] = lambda: None, compare: bool = False
    ) -> Outcome:
        state = CopyState(self.file)
        work = Copy(self.source, self.target, state, meter(Console(quiet=True)), {}, stop)
        return work.run(Evaluator(self.target, worker) if worker else None, None, compare=compare)

    def assert_equal(self) -> None:
        for kind in ItemTable:
            assert canonical(read(self.target, kind)) == canonical(read(self.source, kind)), kind


@pytest.fixture
def ends(stores: tuple[AgentStorage, AgentStorage], tmp_path: Path) -> Ends:
    return Ends(stores, tmp_path)


def test_everything_arrives_bit_for_bit(ends: Ends) -> None:
    ends.source.write(everything())
    ends.source.write(numbered_batch(1, 100))
    outcome = ends.copy()
    assert outcome.missing == []
    assert outcome.written == {kind: read(ends.source, kind).num_rows for kind in ItemTable}
    ends.assert_equal()
    assert ends.target.services() == ends.source.services()
    assert ends.target.operations() == ends.source.operations()
    found = [store.find_traces(TraceQuery(ALL_TIME, limit=1000)) for store in (ends.source, ends.target)]
    assert found[0] == found[1]


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(traces_data, logs_data)
def test_any_message_arrives_bit_for_bit(ends: Ends, traces: Message, logs: Message) -> None:
    for store in (ends.source, ends.target):
        store.purge()
    ends.file.unlink(missing_ok=True)
    ends.source.write(Batch("any", table(Signal.TRACES, traces), table(Signal.LOGS, logs)))
    assert ends.copy(compare=True).differed == 0
    ends.assert_equal()


def test_an_empty_store_is_copied_in_no_time(ends: Ends) -> None:
    outcome = ends.copy()
    assert (outcome.missing, sum(outcome.written.values()), outcome.groups) == ([], 0, 0)


def test_another_run_writes_nothing_with_or_without_its_state(ends: Ends) -> None:
    ends.source.write(everything())
    ends.copy()
    for forget in (False, True):
        if forget:
            ends.file.unlink()
        outcome = ends.copy()
        assert (sum(outcome.written.values()), outcome.missing) == (0, [])
    assert ends.copy(compare=True).differed == 0
    ends.assert_equal()


def test_it_goes_on_where_it_was_stopped(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    class Enough(Exception):
        pass

    for number in range(4):
        ends.source.write(numbered_batch(number, 50))
    monkeypatch.setattr("collector.copying.slices.INSERT_ROWS", 40)
    rounds = 0
    while True:
        budget = iter(range(rounds + 1))

        def stop(left: Iterator[int] = budget) -> None:
            if next(left, None) is None:
                raise Enough

        rounds += 1
        try:
            outcome = ends.copy(stop=stop)
            break
        except Enough:
            assert ends.file.exists() or rounds == 1
    assert rounds > 1
    assert outcome.missing == []
    ends.assert_equal()


def test_an_insert_that_came_through_before_the_checkpoint_counts_once(ends: Ends) -> None:
    """What kill -9 leaves: rows in the target that no state knows of, and of a slice only some."""
    ends.source.write(numbered_batch(1, 60))
    rows = read(ends.source, ItemTable.SPANS)
    ends.target.write(Batch("left by a killed copy", rows.slice(10, 25), LOGS.empty_table()))
    outcome = ends.copy()
    assert outcome.written[ItemTable.SPANS] == 35
    ends.assert_equal()


def test_the_target_may_receive_while_it_is_copied_into(ends: Ends) -> None:
    ends.source.write(numbered_batch(1, 60))
    ends.target.write(numbered_batch(2, 60))
    ends.copy()
    both = [numbered_batch(number, 60).spans for number in (1, 2)]
    assert canonical(read(ends.target, ItemTable.SPANS)) == canonical(pa.concat_tables(both))


def test_what_arrives_in_the_source_meanwhile_is_fetched_too(ends: Ends) -> None:
    ends.source.write(numbered_batch(1, 30))
    late = iter([numbered_batch(2, 30), numbered_batch(3, 30)])

    def receive() -> None:
        found = next(late, None)
        if found:
            ends.source.write(found)

    assert ends.copy(stop=receive).missing == []
    ends.assert_equal()
    ends.source.write(batch([span(trace_id=trace_id(1))], [log("later still")]))
    assert sum(ends.copy().written.values()) == 2
    ends.assert_equal()


def test_equal_log_records_are_all_copied(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.copying.slices.INSERT_ROWS", 30)
    same = log("again", event_time_unix_nano=5)
    ends.source.write(batch(logs=[same] * 100))
    ends.copy()
    assert ends.target.count_days(ItemTable.LOGS) == {DAY: 100}
    ends.source.write(batch(logs=[same] * 7))
    assert ends.copy().written[ItemTable.LOGS] == 7
    assert ends.target.count_days(ItemTable.LOGS) == {DAY: 107}


def test_rows_that_the_target_lost_are_told_and_fetched_again(ends: Ends) -> None:
    ends.source.write(numbered_batch(1, 40))
    ends.copy()
    ends.target.purge()
    outcome = ends.copy()
    assert (outcome.written[ItemTable.SPANS], outcome.missing) == (40, [])
    ends.assert_equal()


def test_only_a_comparison_sees_a_row_that_was_swapped_for_another(ends: Ends) -> None:
    ends.source.write(batch([span(name="one"), span(name="two")]))
    state = CopyState(ends.file)
    done = replace(state.day(ItemTable.SPANS, DAY), until=2**64, rows=2, done=True)
    state.progress.days["spans"][DAY.isoformat()] = done
    state.save()
    two = read(ends.source, ItemTable.SPANS).slice(1)
    ends.target.write(Batch("others", pa.concat_tables([two, spans_of_another_client()]), LOGS.empty_table()))
    assert sum(ends.copy().written.values()) == 0
    outcome = ends.copy(compare=True)
    assert (outcome.differed, outcome.missing) == (1, [])
    assert {"one", "two"} <= set(read(ends.target, ItemTable.SPANS)["name"].to_pylist())


def spans_of_another_client() -> pa.Table:
    return pa.Table.from_pylist([span(name="other")], schema=SPANS)


def test_a_target_that_fails_for_a_while_is_asked_again(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    ends.source.write(numbered_batch(1, 10))
    monkeypatch.setattr(items, "_WAITS", (0.01, 0.01))
    flaky = Flaky(ends.target, 2)
    ends.target = flaky
    assert ends.copy().missing == []
    flaky.failures = 100
    ends.source.write(numbered_batch(2, 10))
    with pytest.raises(StorageUnavailable, match="no space left"):
        ends.copy()
    flaky.failures = 0
    assert ends.copy().missing == []
    ends.assert_equal()


class Flaky:
    """The real target behind a disk that is full for some writes."""

    def __init__(self, target: AgentStorage, failures: int) -> None:
        self._target, self.failures = target, failures

    def write(self, batch: Batch) -> None:
        if self.failures:
            self.failures -= 1
            raise StorageUnavailable("no space left on device")
        self._target.write(batch)

    def __getattr__(self, name: str) -> object:
        return getattr(self._target, name)


def test_transfers_and_runs_are_there_at_once(ends: Ends) -> None:
    transfers = pa.Table.from_pylist([transfer(number, trace_id(number)) for number in range(1, 8)], TRANSFERS)
    runs = pa.Table.from_pylist([run(number, "a", trace_id(number)) for number in range(1, 8)], AGENT_RUNS)
    ends.source.replace_agent_rows([trace_id(number).hex() for number in range(1, 8)], transfers, runs)
    assert ends.copy().groups == 7
    assert canonical(ends.target.find_transfers(TransferQuery())) == canonical(transfers)
    assert canonical(ends.target.find_runs(RunQuery())) == canonical(runs)


class Agents:
    """What a Baton does on a store: mark agentic rows, find transfers."""

    def __init__(self, store: AgentStorage, folder: Path, worker: RuleWorker) -> None:
        self._store, self._worker = store, worker
        state = Checkpoint(folder / "transfers.json")
        self._stage = TransferStage(TransferSettings(), store, Evaluator(store, worker), state)

    def receive(self, *rows: tuple[int, int, int, str, float, float, dict[str, str | int]], find: bool = True) -> None:
        table = spans(*rows)
        at = START + len(rows)
        agent_spans, agent_logs = self._stage.extract(table, LOGS.empty_table(), at)
        self._store.write(Batch(f"{id(self)}-{at}", table, LOGS.empty_table(), agent_spans, agent_logs, at))
        if find:
            Evaluator(self._store, self._worker).evaluate([(1).to_bytes(16)], [])


def found(store: AgentStorage) -> list[tuple[str, str, bool]]:
    rows = store.find_transfers(TransferQuery()).to_pylist()
    return [(row["from_agent"], row["to_agent"], row["completed"]) for row in rows]


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


def test_what_the_source_had_not_looked_at_is_looked_at(ends: Ends, tmp_path: Path, worker: RuleWorker) -> None:
    agents = Agents(ends.source, tmp_path, worker)
    agents.receive(TRIAGE, TRIAGE_CALL, HANDOFF, BILLING, BILLING_CALL, find=False)
    assert found(ends.source) == []
    ends.copy(worker)
    assert found(ends.target) == [("triage", "billing", True)]
