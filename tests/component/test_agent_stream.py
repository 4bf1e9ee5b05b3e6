"""Agent transfers through the running pipeline: marks, groups, late spans, restarts, purge."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from collector.journal.checkpoint import Checkpoint
from collector.processors.agent_stream import evaluate
from collector.processors.agent_stream.evaluate import Evaluator
from collector.processors.agent_stream.stage import EVALUATED_UNTIL, TransferSettings, TransferStage
from collector.processors.agent_stream.worker import RuleWorker
from storage.agents import AgentStorage, ConversationQuery, RunQuery, TransferQuery
from storage.api import Batch
from storage.errors import QueryLimitExceeded, StorageUnavailable
from storage.queries import Signal, TimeRange
from storage.schemas import LOGS, SPANS
from tests.component.handoff_spans import (
    BILLING,
    BILLING_CALL,
    HANDOFF,
    SECOND,
    START,
    TRIAGE,
    TRIAGE_CALL,
    Row,
    agent,
    spans,
    tool,
)
from tests.stored import table
from tests.waiting import until

ALL_TIME = TimeRange(0, 2**64 - 1)


class Stream:
    """The processor over a real engine; batches are written as the store stage writes them."""

    def __init__(self, engine: AgentStorage, folder: Path, worker: RuleWorker) -> None:
        self.engine, self._folder, self._worker = engine, folder, worker
        self.batches = 0
        self.open()

    def open(self, max_pending: int = 10_000) -> None:
        settings = TransferSettings(
            quiet_seconds=0.05,
            max_pending=max_pending,
            idle_poll_seconds=0.01,
            save_seconds=0.0,
            retry_seconds=0.05,
        )
        evaluator = Evaluator(self.engine, self._worker)
        self.stage = TransferStage(settings, self.engine, evaluator, Checkpoint(self._folder / "transfers.json"))

    def write(self, spans: pa.Table | None = None, logs: pa.Table | None = None, told: bool = True) -> None:
        self.batches += 1
        spans = SPANS.empty_table() if spans is None else spans
        logs = LOGS.empty_table() if logs is None else logs
        batch_time = START + self.batches
        agent_spans, agent_logs = self.stage.extract(spans, logs, batch_time)
        batch = Batch(f"{id(self)}-{self.batches}", spans, logs, agent_spans, agent_logs, batch_time)
        self.engine.write(batch)
        if told:
            self.stage.stored(batch)

    def transfers(self, count: int, **query: object) -> list[tuple[str, str, str, bool]]:
        deadline = time.monotonic() + 60
        while True:
            is_settled = not self.stage.pending  # asked first: what is read before the last verdict is not it
            rows = self.engine.find_transfers(TransferQuery(**query)).to_pylist()  # type: ignore[arg-type]
            if len(rows) == count and is_settled:
                break
            assert time.monotonic() < deadline, rows
            time.sleep(0.02)
        return sorted((row["from_agent"], row["to_agent"], row["kind"], row["completed"]) for row in rows)


@pytest.fixture
def stream(engine: AgentStorage, tmp_path: Path, worker: RuleWorker) -> Iterator[Stream]:
    engine.purge()
    instance = Stream(engine, tmp_path, worker)
    instance.stage.start()
    yield instance
    instance.stage.close()


def test_a_handoff_becomes_a_row_and_the_runs_know_what_they_spent(stream: Stream) -> None:
    stream.write(spans(TRIAGE, TRIAGE_CALL, HANDOFF, BILLING, BILLING_CALL))
    assert stream.transfers(1) == [("triage", "billing", "handoff", True)]
    runs = stream.engine.find_runs(RunQuery(trace_id=(1).to_bytes(16))).to_pylist()
    spent = [(run["agent_name"], run["model_calls"], run["input_tokens"], run["output_tokens"]) for run in runs]
    assert spent == [("triage", 1, 100, 10), ("billing", 1, 200, 20)]
    figures = {row["agent_name"]: row for row in stream.engine.agent_figures(RunQuery(time=ALL_TIME)).to_pylist()}
    assert figures["billing"]["models"] == ["m-1"]
    assert figures["billing"]["runs"] == 1


def test_late_spans_replace_the_verdict(stream: Stream) -> None:
    stream.write(spans(TRIAGE, TRIAGE_CALL, HANDOFF))
    assert stream.transfers(1) == [("triage", "billing", "handoff", False)]  # asked for, never ran
    stream.write(spans(BILLING_CALL))
    stream.write(spans(BILLING))
    until(lambda: stream.transfers(1) == [("triage", "billing", "handoff", True)])


def test_late_spans_without_a_word_of_agents_count_too(stream: Stream) -> None:
    """A call from one service to another's agent: what is between them may be exported last."""
    stream.write(spans((1, 1, 0, "invoke_agent triage", 0.0, 5.0, agent("triage")), TRIAGE_CALL))
    stream.write(spans((1, 20, 12, "invoke_agent risk", 1.0, 2.0, agent("risk"))))
    assert stream.transfers(0) == []
    between: list[Row] = [(1, 11, 1, "POST", 0.9, 2.2, {}), (1, 12, 11, "POST /invoke", 0.95, 2.1, {})]
    stream.write(spans(*between))
    assert stream.transfers(1) == [("triage", "risk", "delegation", True)]


def test_batching_order_and_repeats_do_not_matter(stream: Stream) -> None:
    for row in (BILLING_CALL, HANDOFF, BILLING, TRIAGE_CALL, TRIAGE, HANDOFF, BILLING):
        stream.write(spans(row))
    assert stream.transfers(1) == [("triage", "billing", "handoff", True)]
    runs = stream.engine.find_runs(RunQuery()).to_pylist()
    assert sorted((run["agent_name"], run["input_tokens"]) for run in runs) == [("billing", 200), ("triage", 100)]


class Narrow:
    """A store with a limit: it answers the whole spans of few traces at once, and never those of one."""

    def __init__(self, store: AgentStorage, too_large: bytes, error: Exception) -> None:
        self._store, self._too_large, self._error = store, too_large, error

    def get_traces(self, trace_ids: Sequence[bytes], columns: Sequence[str] | None = None) -> pa.Table:
        if columns is None and (len(trace_ids) > 2 or self._too_large in trace_ids):
            raise self._error
        return self._store.get_traces(trace_ids, columns)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


@pytest.mark.parametrize("error", [QueryLimitExceeded("over the memory of a query"), KeyError("a mistake of ours")])
def test_a_backlog_of_more_than_a_query_answers_is_looked_at_in_parts(stream: Stream, error: Exception) -> None:
    stream.stage.close()
    for trace in range(1, 8):
        triage: Row = (trace, 1, 0, "invoke_agent triage", 0.0, 5.0, agent("triage"))
        stream.write(spans(triage, (trace, 2, 1, "invoke_agent risk", 1.0, 2.0, agent("risk"))), told=False)
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=START)
    record.body.string_value = "[agent transfer] a → b"
    stream.write(logs=table(Signal.LOGS, request, received_unix_nano=START), told=False)
    whole, stream.engine = stream.engine, cast(AgentStorage, Narrow(stream.engine, (5).to_bytes(16), error))
    stream.open()
    stream.engine = whole
    stream.stage.start()
    assert stream.transfers(7) == [("a", "b", "handoff", True), *6 * [("triage", "risk", "delegation", True)]]
    assert stream.transfers(0, trace_id=(5).to_bytes(16)) == []


def test_a_backlog_for_which_storage_has_no_memory_is_looked_at_in_parts(stream: Stream) -> None:
    """The engine then says that it is unavailable, as in an outage; the same would be tried again for ever."""
    stream.stage.close()
    for trace in range(1, 8):
        triage: Row = (trace, 1, 0, "invoke_agent triage", 0.0, 5.0, agent("triage"))
        stream.write(spans(triage, (trace, 2, 1, "invoke_agent risk", 1.0, 2.0, agent("risk"))), told=False)
    error = StorageUnavailable("(total) memory limit exceeded")
    whole, stream.engine = stream.engine, cast(AgentStorage, Narrow(stream.engine, bytes(16), error))
    stream.open()
    stream.engine = whole
    stream.stage.start()
    assert stream.transfers(7) == 7 * [("triage", "risk", "delegation", True)]


def test_what_was_stored_but_not_looked_at_is_found_after_a_restart(stream: Stream) -> None:
    stream.write(spans((9, 1, 0, "invoke_agent alone", 0.0, 1.0, agent("alone"))))
    assert stream.transfers(0) == []
    stream.stage.close()
    stream.write(spans(TRIAGE, TRIAGE_CALL, HANDOFF, BILLING, BILLING_CALL), told=False)  # killed right after the write
    stream.open()
    stream.stage.start()
    assert stream.transfers(1) == [("triage", "billing", "handoff", True)]


def test_a_clock_that_was_ahead_for_a_while_does_not_hide_what_is_stored_later(stream: Stream) -> None:
    for trace, batches in ((8, 10**15), (9, 0)):  # ten days ahead, then put right
        stream.batches = batches
        stream.write(spans((trace, 1, 0, "invoke_agent alone", 0.0, 1.0, agent("alone"))))
        assert stream.transfers(0) == []
    stream.stage.close()
    stream.write(spans(TRIAGE, TRIAGE_CALL, HANDOFF, BILLING, BILLING_CALL), told=False)  # killed right after the write
    stream.open()
    stream.stage.start()
    assert stream.transfers(1) == [("triage", "billing", "handoff", True)]


def test_nothing_is_missed_when_more_is_pending_than_fits(stream: Stream) -> None:
    stream.stage.close()
    stream.open(max_pending=2)
    for trace in range(1, 9):
        stream.write(spans(*[(trace, *row[1:]) for row in (TRIAGE, TRIAGE_CALL, HANDOFF, BILLING, BILLING_CALL)]))
    stream.stage.start()
    assert stream.transfers(8) == [("triage", "billing", "handoff", True)] * 8


def test_the_saved_state_never_passes_what_is_pending(stream: Stream, tmp_path: Path) -> None:
    stream.stage.close()
    stream.write(spans(TRIAGE, HANDOFF))
    stream.stage.close()
    assert Checkpoint(tmp_path / "transfers.json").load()[EVALUATED_UNTIL] <= START + stream.batches
    stream.open()
    stream.stage.start()
    assert stream.transfers(1) == [("triage", "billing", "handoff", False)]


def test_log_lines_with_and_without_a_trace(stream: Stream) -> None:
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    for number, (text, trace) in enumerate(
        [
            ("[Agent Transfer] agent-1 → agent-2", b""),
            ("Agent 3 delegates to agent 4", (77).to_bytes(16)),
            ("money transfer to agent pending", b""),
        ]
    ):
        record = records.add(time_unix_nano=START + number * 5 * SECOND, trace_id=trace)
        record.body.string_value = text
    stream.write(logs=table(Signal.LOGS, request, received_unix_nano=START))
    found = stream.transfers(2)
    assert [row[:2] for row in found] == [("3", "4"), ("agent-1", "agent-2")]
    assert stream.transfers(1, trace_id=(77).to_bytes(16))[0][:2] == ("3", "4")
    times = stream.engine.find_transfers(TransferQuery(from_agent="agent-1"))["time_unix_nano"].to_pylist()
    assert times == [START]


def test_a_minute_of_more_records_than_fit_is_looked_at_in_part(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "MAX_RECORDS", 3)
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    for number in range(5):
        for minute in (0, 2):
            record = records.add(time_unix_nano=START + (number + 60 * minute) * SECOND)
            record.body.string_value = f"[agent transfer] a → b{number}"
    stream.write(logs=table(Signal.LOGS, request, received_unix_nano=START))
    found = stream.transfers(6)
    assert [target for _, target, _, _ in found] == ["b0", "b0", "b1", "b1", "b2", "b2"]


def test_conversations_and_filters(stream: Stream) -> None:
    one, two = "conv-1f3a9c55-0001", "conv-1f3a9c55-0002"
    stream.write(
        spans(
            (1, 1, 0, "invoke_agent triage", 0.0, 1.0, agent("triage", one)),
            (1, 2, 1, "execute_tool transfer_to_billing", 0.5, 0.6, tool("transfer_to_billing")),
            (2, 1, 0, "invoke_agent billing", 1.5, 2.0, agent("billing", one)),
            (3, 1, 0, "invoke_agent triage", 500.0, 501.0, agent("triage", two)),
        )
    )
    found = stream.transfers(1, conversation_id=one)
    assert found[0][:2] == ("triage", "billing")
    assert stream.transfers(0, conversation_id=two) == []
    listed = stream.engine.conversations(ConversationQuery(ALL_TIME)).to_pylist()
    assert [(row["conversation_id"], row["traces"], row["agents"]) for row in listed] == [
        (two, 1, ["triage"]),
        (one, 2, ["billing", "triage"]),
    ]
    assert stream.engine.traces_of_conversation(one, 10) == [(1).to_bytes(16), (2).to_bytes(16)]


def test_a_purge_leaves_no_rows_behind(stream: Stream) -> None:
    stream.write(spans(TRIAGE, TRIAGE_CALL, HANDOFF, BILLING, BILLING_CALL))
    with stream.stage.emptied():
        stream.engine.purge()
    time.sleep(0.3)
    assert stream.transfers(0) == []
    assert stream.engine.find_runs(RunQuery()).num_rows == 0


def test_plain_spans_make_no_agent_rows(stream: Stream) -> None:
    rows: list[Row] = [
        (5, n, 0, f"GET /items/{n}", 0.0, 1.0, {"http.request.method": "GET", "n": n}) for n in range(1, 50)
    ]
    agent_spans, agent_logs = stream.stage.extract(spans(*rows), LOGS.empty_table(), 1)
    assert (agent_spans.num_rows, agent_logs.num_rows) == (0, 0)
