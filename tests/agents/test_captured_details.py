"""What the captures' truths say beyond who handed to whom: how, why, whether it came about, and what each run spent."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from collector.processors.agent_stream.runs import AgentRun, find_runs
from collector.processors.agent_transfers.group import prepare
from collector.processors.agent_transfers.grouping import form_groups, summarise
from tests.agents.harness import Scenario, detect_store, load

SCENARIOS = [scenario for scenario in load() if "runs" in scenario.truth]
by_name = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)


@by_name
def test_rows_say_kind_reason_and_outcome(scenario: Scenario) -> None:
    said = Counter(
        (row.from_agent, row.to_agent, row.kind, row.completed, row.reason)
        for row in detect_store(scenario.spans, scenario.logs)
        if row.kind != "return"
    )
    assert said == Counter(
        (told["from"], told["to"], told["kind"], told.get("completed", True), told.get("reason", ""))
        for told in scenario.truth["transfers"]
    )


@by_name
def test_runs_spend_what_their_own_calls_spent(scenario: Scenario) -> None:
    said = Counter(
        (run.agent_name, run.model_calls, run.input_tokens, run.output_tokens, run.error) for run in _runs(scenario)
    )
    assert said == Counter(_run(told) for told in scenario.truth["runs"])


def _runs(scenario: Scenario) -> list[AgentRun]:
    traces: dict[bytes, list[Any]] = {}
    for span in scenario.spans:
        traces.setdefault(span.trace_id, []).append(span)
    groups = form_groups([summarise(spans) for spans in traces.values()])
    return [run for group in groups for run in find_runs(prepare([s for trace in group for s in traces[trace]]))]


def _run(told: dict[str, Any]) -> tuple[object, ...]:
    return (told["agent"], told["model_calls"], told["input_tokens"], told["output_tokens"], told.get("error", False))
