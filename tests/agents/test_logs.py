"""Log lines and structured records: what is a transfer, what only looks like one, and what a user may configure."""

from __future__ import annotations

import json
import time

import pytest

from collector.processors.agent_transfers.model import Value
from collector.processors.agent_transfers.options import InvalidLogPattern, make_options
from tests.agents.build import Trace, genai, log, rows, told

A_TO_B = [("agent-1", "agent-2", "handoff", True)]


@pytest.mark.parametrize(
    "line",
    [
        "[Agent Transfer] agent-1 → agent-2",
        "[agent transfer] agent-1 -> agent-2",
        "[AGENT TRANSFER] agent-1 => agent-2",
        "[Agent Transfer] agent-1 --> agent-2",
        "[Agent Transfer] agent-1->agent-2",
        r"[Agent Transfer] agent-1 \u2192 agent-2",
        "[Agent Transfer] agent-1 → agent-2.",
        "  [Agent Transfer]  agent-1  →  agent-2  ",
        "\x1b[32mINFO\x1b[0m [Agent Transfer] agent-1 → agent-2",
        "2026-11-21 07:48:58,123 INFO [Agent Transfer] agent-1 → agent-2",
        "2026-11-21T07:48:58.123456Z | INFO | [Agent Transfer] agent-1 → agent-2",
        "[2026-11-21 07:48:58] [INFO] [worker-1] [Agent Transfer] agent-1 → agent-2",
        "2026-11-21 07:48:58,123 - my.orchestrator - INFO - [Agent Transfer] agent-1 → agent-2",
        "INFO:root:[Agent Transfer] agent-1 → agent-2",
        "07:48:58 WARNING: [Agent Transfer] agent-1 → agent-2",
        json.dumps({"ts": 1, "msg": "[Agent Transfer] agent-1 → agent-2"}),
        json.dumps({"level": "info", "message": "[Agent Transfer] agent-1 → agent-2"}, ensure_ascii=False),
        {"body": "[Agent Transfer] agent-1 → agent-2"},
        {"event": "[Agent Transfer] agent-1 → agent-2", "level": "info"},
        "[Agent Transfer] agent-1 → agent-2 (reason: billing question)",
        "[Agent Transfer] agent-1 → agent-2 completed",
    ],
)
def test_arrow_lines(line: Value) -> None:
    assert told(rows(logs=(log(line),))) == A_TO_B


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Transferring to agent: 2", ("", "2", "handoff")),
        ("transferring to agent: Billing Agent", ("", "Billing Agent", "handoff")),
        ("Agent 1 delegates to agent 2", ("1", "2", "delegation")),
        ("agent planner delegates to agent coder.", ("planner", "coder", "delegation")),
        ("[Agent Transfer] Senior Researcher → Fact Checker", ("Senior Researcher", "Fact Checker", "handoff")),
    ],
)
def test_the_other_patterns(line: str, expected: tuple[str, str, str]) -> None:
    assert told(rows(logs=(log(line),))) == [(*expected, True)]


@pytest.mark.parametrize(
    "line",
    [
        "[Agent Transfer]",
        "[Agent Transfer] feature disabled by configuration",
        "[Agent Transfers] 0 pending → 0 done",
        "Bank transfer agent-1 → agent-2 fee table loaded",
        "Bank [Agent Transfer] agent-1 → agent-2",
        "see [Agent Transfer] agent-1 → agent-2 in the log",
        "[Agent Transfer] agent-1 → agent-2 → agent-3",
        "[Agent Transfer] agent-1 → agent-2 is disabled",
        "Transferring to agent:",
        "Transferring to agents bucket: 2 objects",
        "Transferring to account: 2",
        "Transferring 3 files to agent host: web-2",
        "Not transferring to agent: 2 (policy denied)",
        "State transferring: agent 2 of 5 warmed up",
        "Agent 1 delegates authentication to OAuth provider",
        "Agent 1 no longer delegates to agent 2",
        "Agent 1 could delegate to agent 2 if needed",
        "User-Agent 1 delegates to agent.js 2.0",
        "user: Transferring to agent: 2",
        "INFO user: Transferring to agent: 2",
        "2026-11-21 07:48:58 INFO assistant: Agent 1 delegates to agent 2",
        '"[Agent Transfer] agent-1 → agent-2"',
        "what does [Agent Transfer] mean?\n[Agent Transfer] agent-1 → agent-2",
        'LLM request: {"messages": [{"role": "user", "content": "Transferring to agent: 2"}]}',
        json.dumps({"messages": [{"role": "user", "content": "Transferring to agent: 2"}]}),
        json.dumps(["[Agent Transfer] agent-1 → agent-2"]),
        {"content": "[Agent Transfer] agent-1 → agent-2"},
        "[Agent Transfer] " + "a" * 2000 + " → b",
        b"[Agent Transfer] agent-1 -> agent-2",
        None,
        5,
    ],
)
def test_lines_that_are_no_transfers(line: Value) -> None:
    assert rows(logs=(log(line),)) == []


@pytest.mark.parametrize("keys", [{"agent.id": "1"}, {"agent_id": 1}, {"agent.name": "1"}, {"gen_ai.agent.name": "1"}])
def test_source_of_a_line_without_one_is_the_records_agent(keys: dict[str, Value]) -> None:
    assert told(rows(logs=(log("Transferring to agent: 2", keys=keys),))) == [("1", "2", "handoff", True)]


def test_source_of_a_line_without_one_is_the_active_spans_agent() -> None:
    trace = Trace()
    run = trace.agent("triage", 0, 50)
    inside = trace.span("work", 10, 20, {}, run)
    assert told(rows(trace, logs=(log("Transferring to agent: 2", 15, span=inside),))) == [
        ("triage", "2", "handoff", True)
    ]


def test_one_transfer_logged_by_several_loggers_counts_once() -> None:
    trace = Trace()
    span = trace.span("conversation", 0, 10)
    lines = ("[Agent Transfer] agent-1 → agent-2", "Transferring to agent: 2", "[Agent Transfer] agent-1 → agent-2")
    assert told(rows(trace, logs=tuple(log(line, at, span=span) for at, line in enumerate(lines)))) == A_TO_B


def test_the_same_transfer_later_counts_again() -> None:
    trace = Trace()
    span = trace.span("conversation", 0, 1000)
    again = tuple(log("[Agent Transfer] agent-1 → agent-2", at, span=span) for at in (0, 500))
    assert told(rows(trace, logs=again)) == A_TO_B * 2


def test_records_outside_any_trace_are_only_repetitions_when_they_say_the_very_same() -> None:
    lines = ("[Agent Transfer] agent-1 → agent-2", "Transferring to agent: 2", "Agent 1 delegates to agent 2")
    assert len(rows(logs=tuple(log(line, at) for at, line in enumerate(lines)))) == 3


def test_failure_lines_end_the_transfer_they_are_about() -> None:
    trace = Trace()
    span = trace.span("conversation", 0, 10)
    failed = log("[Agent Transfer] agent-1 → agent-2 failed: target unavailable", 2, span=span, severity=17)
    found = rows(trace, logs=(log("[Agent Transfer] agent-1 → agent-2", 0, span=span), failed))
    assert told(found) == [("agent-1", "agent-2", "handoff", False)]
    assert "target unavailable" in found[0].reason


def test_a_line_and_a_span_of_one_handoff_are_one_row() -> None:
    trace = Trace()
    root = trace.span("workflow", 0, 100)
    first = trace.agent("triage_agent", 1, 40, root)
    trace.tool("transfer_to_billing_agent", 30, 31, first)
    trace.agent("billing_agent", 41, 90, root)
    found = rows(trace, logs=(log("[Agent Transfer] triage_agent → billing_agent", 30.5, span=first),))
    assert [(row.signal, row.to_agent) for row in found] == [("span", "billing_agent")]


def test_structured_records() -> None:
    body: Value = {"event": "agent_transfer", "from_agent": "a1", "to_agent": "a2", "reason": "billing"}
    by_keys = log("agent handoff", 100, keys={"agent.from": "a2", "agent.to": "a3"})
    found = rows(logs=(log(body), by_keys))
    assert told(found) == [("a1", "a2", "handoff", True), ("a2", "a3", "handoff", True)]
    assert found[0].reason == "billing"


def test_structured_records_about_something_else() -> None:
    body: Value = {"event": "permissions_checked", "from_agent": "a1", "to_agent": "a2"}
    assert (
        rows(logs=(log(body), log("transfer done", 5, keys={"transfer.from": "acc-1", "transfer.to": "acc-2"}))) == []
    )


def test_log_lines_that_an_sdk_exports_as_spans() -> None:
    trace = Trace(scope="logfire.stdlib.logging")
    keys: dict[str, Value] = {"logfire.span_type": "log", "logfire.msg": "[Agent Transfer] agent-1 → agent-2"}
    trace.span("%s", 5, 5, keys)
    found = rows(trace)
    assert told(found) == A_TO_B
    assert (found[0].signal, found[0].trace_id) == ("log", trace.trace_id)


def test_prompts_in_span_attributes_are_never_read() -> None:
    trace = Trace()
    run = trace.agent("docs", 0, 50)
    quoted = "[Agent Transfer] agent-1 → agent-2"
    trace.span("chat m", 5, 6, genai("chat", **{"prompt": quoted, "input.messages": json.dumps([quoted])}), run)
    assert rows(trace) == []


def test_rows_of_records_carry_their_time_and_project() -> None:
    record = log("[Agent Transfer] agent-1 → agent-2", 7)
    row = rows(logs=(record,), options=make_options(project="shop"))[0]
    assert (row.time_unix_nano, row.trace_id, row.project, row.signal) == (record.time_unix_nano, b"", "shop", "log")


def test_configured_pattern() -> None:
    own = ("moved", "handoff", r"case moved from (?P<source>[a-z]+) to (?P<target>[a-z]+)")
    options = make_options(log_patterns=[own])
    assert told(rows(logs=(log("INFO: Case moved from a to b"),), options=options)) == [("a", "b", "handoff", True)]
    assert rows(logs=(log("[Agent Transfer] agent-1 → agent-2"),), options=options) == []


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("moved to agent", "target"),
        ("to (?P<target>a+)+", "repeated group"),
        ("(?P<target>.*)(.*)(.*)(.*)(.*)", "unbounded"),
        (r"(?P<target>a)\1", "back-references"),
        ("(?=x)(?P<target>a)", "look-around"),
        ("(?P<target>[", "unterminated"),
    ],
)
def test_patterns_that_are_refused(expression: str, problem: str) -> None:
    with pytest.raises(InvalidLogPattern, match=problem):
        make_options(log_patterns=[("own", "handoff", expression)])


def test_rules_can_be_switched_off_and_rows_below_a_confidence_left_out() -> None:
    logs = (log("Transferring to agent: 2"), log("Agent 1 delegates to agent 2", 100))
    assert len(rows(logs=logs, options=make_options(disabled_rules=["log_transferring"]))) == 1
    assert len(rows(logs=logs, options=make_options(min_confidence=0.9))) == 1


def test_hostile_lines_cost_little() -> None:
    """A guard against exponential or cubic matching, far above what the lines take."""
    lines = (
        "[agent transfer] " + "a " * 480,
        "agent " + "a " * 490,
        " " * 990 + "failed",
        "(" * 999,
        "INFO " * 199,
        "2026-" * 199,
        "→" * 999,
        "a" * 499 + " failed" * 70,
        "\x1b[" * 499,
    )
    started = time.monotonic()
    rows(logs=tuple(log(line, at) for at, line in enumerate(lines * 20)))
    assert time.monotonic() - started < 10


def test_a_record_cannot_make_rows_of_any_size() -> None:
    long = "x" * 10**6
    body: dict[str, Value] = {"event": "agent_handoff", "from_agent": "a", "to_agent": "b", "reason": long}
    (told_by_body,) = rows(logs=(log(body),))
    assert told_by_body.reason == "x" * 500
    keys: dict[str, Value] = {"agent.name": long, "agent.id": long}
    (told_by_line,) = rows(logs=(log("Transferring to agent: b", keys=keys),))
    assert (told_by_line.from_agent, told_by_line.from_agent_id) == ("x" * 256, "x" * 1_000)


@pytest.mark.parametrize("shape", ["tool", "nested", "sequence"])
def test_a_line_long_before_the_target_starts_tells_the_same_transfer(shape: str) -> None:
    trace = Trace()
    root = trace.span("workflow", 0, 60_000)
    lead = trace.agent("lead", 1, 50_000 if shape == "nested" else 6_000, root)
    if shape == "tool":
        trace.tool("transfer_to_writer", 1_000, 1_001, lead)
    trace.agent("writer", 9_000, 40_000, lead if shape == "nested" else root)
    line = log("[Agent Transfer] lead → writer", 5_000, lead)
    assert [(row.from_agent, row.to_agent, row.signal) for row in rows(trace, logs=(line,))] == [
        ("lead", "writer", "span")
    ]


def test_each_transfer_is_announced_by_one_early_line() -> None:
    trace = Trace()
    lead = trace.agent("lead", 1, 50_000)
    trace.agent("writer", 9_000, 20_000, lead)
    lines = tuple(log("[Agent Transfer] lead → writer", at, lead) for at in (1_000, 5_000, 15_000))
    found = rows(trace, logs=lines)
    assert [row.signal for row in found] == ["log", "span", "log"]


def test_a_line_counts_where_what_spans_tell_is_not_sure_enough() -> None:
    trace = Trace()
    root = trace.span("workflow", 0, 300)
    lead = trace.agent("lead", 1, 60, root)
    trace.agent("writer", 61, 80, root)
    line = log("[Agent Transfer] lead → writer", 58, lead)
    found = rows(trace, logs=(line,), options=make_options(min_confidence=0.7))
    assert [(row.from_agent, row.to_agent, row.rule) for row in found] == [("lead", "writer", "log_arrow")]


@pytest.mark.parametrize("task", ["the task of finding failed payments", "a task", "this question"])
def test_the_task_behind_a_name_is_the_reason_and_no_part_of_the_name(task: str) -> None:
    (row,) = rows(logs=(log(f"Agent 1 delegates to agent 2 {task}"),))
    assert (row.from_agent, row.to_agent, row.reason, row.completed) == ("1", "2", task, True)
