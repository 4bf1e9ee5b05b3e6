"""What the rules' process makes of odd telemetry: it costs one group at most, and fits what stores it."""

import datetime
import os
import re
from collections import defaultdict

import pytest

from collector.processors.agent_stream.rows import agent_log_rows
from collector.processors.agent_stream.runs import find_runs
from collector.processors.agent_stream.tables import runs_table
from collector.processors.agent_stream.worker import RulesDied, RuleWorker, Work, compute
from collector.processors.agent_transfers.group import prepare
from collector.processors.agent_transfers.model import Value
from collector.processors.agent_transfers.options import LogPattern, Options
from storage.queries import Signal
from storage.schemas import AGENT_LOGS, SPANS
from tests.agents.build import Trace, genai
from tests.component.handoff_spans import BILLING, BILLING_CALL, HANDOFF, TRIAGE, TRIAGE_CALL, spans
from tests.component.query.shop import T0, logs_message, record
from tests.stored import table

DAYS = defaultdict(lambda: datetime.date(2026, 1, 31))


def test_a_group_that_the_rules_fail_on_costs_its_own_transfers_only() -> None:
    of_trace = spans(TRIAGE, TRIAGE_CALL, HANDOFF, BILLING, BILLING_CALL)
    records = table(Signal.LOGS, logs_message({"desk": [record(0, 9, "handoff to nobody")]}))
    agent_logs = agent_log_rows(records, T0, "handoff")
    options = Options(log_patterns=(None,))  # type: ignore[arg-type]  # the rules fail on every record
    trace_id = of_trace["trace_id"][0].as_py()
    found = compute(Work(of_trace, agent_logs, ((trace_id,),), ((0,),)), options)
    assert [len(each) for each in found.transfers] == [1, 0]
    assert found.faults[0] == ""
    assert re.fullmatch(r"AttributeError in \w+\.py:\d+", found.faults[1])
    assert compute(Work(SPANS.empty_table(), AGENT_LOGS.empty_table(), ()), options).faults == ()


def test_a_group_that_takes_too_long_costs_its_own_transfers_only() -> None:
    """A process in which the rules loop would end the transfers of all others, for ever."""
    of_trace = spans(TRIAGE, TRIAGE_CALL, HANDOFF, BILLING, BILLING_CALL)
    lines = [record(0, 9, "handoff to nobody"), record(1, 9, f"handoff {'ab' * 400}?")]
    agent_logs = agent_log_rows(table(Signal.LOGS, logs_message({"desk": lines})), T0, "handoff")
    endless = LogPattern("endless", "handoff", re.compile(r"handoff (?P<target>(?:\w+\w*)+)"))
    worker = RuleWorker(Options(log_patterns=(endless,)), group_cpu_seconds=0.5)
    trace_id = of_trace["trace_id"][0].as_py()
    try:
        found = worker.compute(Work(of_trace, agent_logs, ((trace_id,),), ((1,), (0,))))
    finally:
        worker.close()
    assert [len(each) for each in found.transfers] == [1, 0, 0]
    assert [fault.split()[0:1] for fault in found.faults] == [[], ["TookTooLong"], []]


class Deadly(bytes):
    """A trace id that ends the process which it is sent to."""

    def __reduce__(self) -> tuple[object, tuple[int]]:
        return os._exit, (1,)


def test_work_that_ends_the_process_is_told_from_a_process_that_cannot_live() -> None:
    """The stage looks at such work in parts and gives up the part; it would try again for ever, and do nothing else."""
    worker = RuleWorker(Options())
    try:
        with pytest.raises(RulesDied):
            worker.compute(Work(SPANS.empty_table(), AGENT_LOGS.empty_table(), ((Deadly(16),),)))
        of_trace = spans(TRIAGE, TRIAGE_CALL, HANDOFF, BILLING, BILLING_CALL)
        trace_id = of_trace["trace_id"][0].as_py()
        found = worker.compute(Work(of_trace, AGENT_LOGS.empty_table(), ((trace_id,),)))
    finally:
        worker.close()
    assert [len(each) for each in found.transfers] == [1]


@pytest.mark.parametrize("kind", [["task"], {"a": "task"}, b"task", None, 5])
def test_a_kind_of_any_type_is_read(kind: Value) -> None:
    trace = Trace()
    trace.span("run", 0, 5, {"gen_ai.operation.name": "invoke_agent", "traceloop.span.kind": kind})
    assert len(find_runs(prepare(trace.spans))) == 1


@pytest.mark.parametrize("tokens", ["9" * 30, "1e308", 2.0**53, "nan", "-1"])
def test_token_counts_that_cannot_be_are_none(tokens: Value) -> None:
    trace = Trace()
    trace.span(
        "chat m-1", 0, 5, {**genai("chat"), "gen_ai.usage.input_tokens": tokens, "gen_ai.usage.output_tokens": 7}
    )
    (run,) = find_runs(prepare(trace.spans))
    assert (run.input_tokens, run.output_tokens) == (None, 7)


def test_sums_and_durations_fit_their_columns() -> None:
    trace = Trace()
    for number in range(1_100):
        trace.span("chat m-1", number, -(10**16), {**genai("chat"), "gen_ai.usage.input_tokens": 2**53 - 1})
    runs = find_runs(prepare(trace.spans))
    (row,) = runs_table(runs, DAYS).to_pylist()
    assert (row["input_tokens"], row["duration_ns"]) == (2**63 - 1, 0)
