"""What the shape of a trace says where no convention does: which runs follow each other, and which only lie close."""

from __future__ import annotations

from dataclasses import replace

import pytest

from collector.processors.agent_transfers.model import Value
from tests.agents.build import T0, Trace, genai, rows, told


def test_handoff_span_alone_counts_where_no_run_is_visible() -> None:
    trace = Trace()
    trace.span("handoff", 0, 1, {"from_agent": "a1", "to_agent": "b1"})
    assert told(rows(trace)) == [("a1", "b1", "handoff", True)]


def test_handoff_to_an_agent_that_never_ran_is_an_attempt() -> None:
    trace = Trace()
    run = trace.agent("triage", 0, 50)
    trace.span("handoff", 10, 11, {"from_agent": "triage", "to_agent": "ghost"}, run)
    assert told(rows(trace)) == [("triage", "ghost", "handoff", False)]


def test_clocks_of_two_services_may_differ() -> None:
    trace = Trace()
    desk = trace.agent("front_desk", 0, 100)
    run = trace.span(
        "invoke_agent billing", 400, 480, genai("invoke_agent", **{"agent.name": "billing"}), desk, service="billing"
    )
    trace.span("chat m", 401, 420, genai("chat"), run, service="billing")
    assert told(rows(trace)) == [("front_desk", "billing", "delegation", True)]


def test_model_calls_that_name_their_agent_stand_for_runs() -> None:
    trace = Trace()
    root = trace.span("workflow", 0, 100)
    for start, name in ((1, "planner"), (20, "planner"), (40, "coder"), (60, "coder")):
        trace.span("chat m", start, start + 10, genai("chat", **{"agent.name": name}), root)
    assert told(rows(trace)) == [("planner", "coder", "sequence", True)]


def test_tool_after_the_agents_display_name() -> None:
    trace = Trace()
    root = trace.span("workflow", 0, 100)
    trace.tool("transfer_to_billing_agent", 30, 31, trace.agent("Triage Agent", 1, 40, root))
    trace.agent("Billing Agent", 41, 90, root)
    assert told(rows(trace)) == [("Triage Agent", "Billing Agent", "handoff", True)]


@pytest.mark.parametrize(
    "tool", ["transfer_money", "transfer_to_savings", "handoff_document", "route_to_host", "delegate_permissions"]
)
def test_tools_that_only_sound_like_handoffs(tool: str) -> None:
    trace = Trace()
    root = trace.span("workflow", 0, 100)
    run = trace.agent("bank", 1, 90, root)
    trace.tool(tool, 30, 31, run, **{"tool.call.arguments": '{"to": "billing", "amount": 10, "recipient": "Smith"}'})
    assert rows(trace) == []


def test_declarations_are_not_transfers() -> None:
    trace = Trace()
    trace.span("create_agent a", 0, 1, genai("create_agent", **{"agent.name": "a"}))
    trace.span("create_agent b", 2, 3, genai("create_agent", **{"agent.name": "b"}))
    run = trace.span("invoke_agent a", 5, 50, genai("invoke_agent", **{"agent.name": "a"}))
    nodes: dict[str, Value] = {
        "gen_ai.workflow.edges": ["a -> b"],
        "gen_ai.agent.handoffs": '["b"]',
        "handoffs": '["b"]',
    }
    trace.spans[-1] = replace(run, attributes={**run.attributes, **nodes})
    assert rows(trace) == []


def test_delegation_tool_without_a_span_of_the_delegate() -> None:
    trace = Trace()
    lead = trace.agent("Lead", 0, 100)
    arguments: dict[str, Value] = {"tool.call.arguments": '{"coworker": "Senior Researcher", "task": "find out"}'}
    trace.tool("delegate_work_to_coworker", 10, 50, lead, **arguments)
    refused = {
        **arguments,
        "tool.call.result": "coworker mentioned not found",
        "tool.call.arguments": '{"coworker": "Ghost"}',
    }
    trace.tool("delegate_work_to_coworker", 60, 61, lead, **refused)
    found = rows(trace)
    assert told(found) == [("Lead", "Senior Researcher", "delegation", True), ("Lead", "Ghost", "delegation", False)]
    assert found[0].reason == "find out"


def test_supervisor_that_gets_control_back() -> None:
    trace = Trace()
    root = trace.span("workflow", 0, 200)
    trace.tool("transfer_to_math", 20, 21, trace.agent("supervisor", 1, 30, root))
    trace.agent("math", 35, 60, root)
    trace.agent("supervisor", 65, 90, root)
    assert told(rows(trace)) == [("supervisor", "math", "handoff", True), ("math", "supervisor", "return", True)]


def test_overlapping_siblings_do_not_hand_over_to_each_other() -> None:
    trace = Trace()
    root = trace.span("workflow", 0, 100)
    trace.agent("news", 1, 60, root)
    trace.agent("stocks", 30, 90, root)
    assert rows(trace) == []


def test_fan_out_and_fan_in_have_edges_only_across() -> None:
    trace = Trace()
    root = trace.span("workflow", 0, 200)
    trace.agent("editor", 1, 20, root)
    trace.agent("news", 25, 60, root)
    trace.agent("stocks", 30, 90, root)
    trace.agent("merge", 100, 150, root)
    pairs = sorted((row.from_agent, row.to_agent) for row in rows(trace))
    assert pairs == [("editor", "news"), ("editor", "stocks"), ("news", "merge"), ("stocks", "merge")]


def test_unrelated_agents_below_an_applications_span() -> None:
    trace = Trace()
    job = trace.span("nightly", 0, 100, scope="app.jobs")
    trace.agent("invoices", 1, 40, job)
    trace.agent("weather", 41, 90, job)
    assert rows(trace) == []


def test_one_conversation_below_an_applications_span() -> None:
    trace = Trace()
    job = trace.span("request", 0, 100, scope="app.web")
    trace.agent("triage", 1, 40, job, **{"conversation.id": "c-1"})
    trace.agent("billing", 41, 90, job, **{"conversation.id": "c-1"})
    assert told(rows(trace)) == [("triage", "billing", "sequence", True)]


def test_a_delegation_without_a_tool_call_happens_when_the_target_starts() -> None:
    trace = Trace()
    manager = trace.agent("manager", 0, 100)
    for name, start in (("writer", 50), ("researcher", 10)):
        trace.agent(name, start, start + 30, manager)
    assert [(row.to_agent, row.time_unix_nano - T0) for row in rows(trace)] == [
        ("researcher", 10_000_000),
        ("writer", 50_000_000),
    ]


@pytest.mark.parametrize("inside", [True, False])
def test_a_delegation_that_only_queues_the_task_is_told_once(inside: bool) -> None:
    trace = Trace()
    root = trace.span("workflow", 0, 200)
    lead = trace.agent("lead", 1, 190 if inside else 40, root)
    for at, worker in ((10, "writer"), (20, "editor")):
        trace.tool(f"delegate_to_{worker}", at, at + 1, lead, **{"tool.call.arguments": '{"task": "the report"}'})
    for at, worker in ((50, "writer"), (100, "editor")):
        trace.agent(worker, at, at + 40, lead if inside else root)
    found = rows(trace)
    assert told(found) == [("lead", "writer", "delegation", True), ("lead", "editor", "delegation", True)]
    assert [row.reason for row in found] == ["the report", "the report"]
    assert all(row.target_span_id for row in found)


def test_a_delegation_without_visible_run_does_not_take_the_run_of_another_call() -> None:
    trace = Trace()
    lead = trace.agent("lead", 0, 200)
    trace.tool("delegate_to_writer", 10, 20, lead)
    trace.agent("writer", 41, 59, trace.tool("draft_report", 40, 60, lead))
    assert [(row.from_agent, row.to_agent, row.rule) for row in rows(trace)] == [
        ("lead", "writer", "handoff_tool"),
        ("lead", "writer", "agent_nesting"),
    ]


@pytest.mark.parametrize("declared", ["writer", "agent"])
def test_runs_are_named_by_the_span_that_created_the_agent(declared: str) -> None:
    trace = Trace()
    root = trace.span("POST /chat", 0, 100)
    for at, (agent_id, name) in enumerate((("asst_1", "lead"), ("asst_2", declared))):
        created = genai("create_agent", **{"agent.id": agent_id, "agent.name": name})
        trace.span(f"create_agent {name}", at, at + 1, created, root)
    outer = trace.span("invoke_agent", 10, 90, genai("invoke_agent", **{"agent.id": "asst_1"}), root)
    inner = trace.span("invoke_agent", 20, 50, genai("invoke_agent", **{"agent.id": "asst_2"}), outer)
    for run, at in ((outer, 11), (inner, 21)):
        trace.span("chat m", at, at + 1, genai("chat"), run)
    assert told(rows(trace)) == ([("lead", "writer", "delegation", True)] if declared == "writer" else [])


def test_an_agent_id_that_goes_with_two_names_names_no_run() -> None:
    trace = Trace()
    lead = trace.agent("lead", 0, 100, **{"agent.id": "1"})
    trace.agent("writer", 10, 20, lead, **{"agent.id": "1"})
    run = trace.span("invoke_agent", 30, 50, genai("invoke_agent", **{"agent.id": "1"}), lead)
    trace.span("chat m", 31, 32, genai("chat"), run)
    assert told(rows(trace)) == [("lead", "writer", "delegation", True)]


@pytest.mark.parametrize(("service", "completed"), [("billing", True), ("app", False)])
def test_the_clock_of_the_service_that_is_handed_to_may_be_behind(service: str, completed: bool) -> None:
    trace = Trace()
    root = trace.span("POST /chat", 0, 300, scope="http")
    trace.tool("transfer_to_billing", 130, 131, trace.agent("triage", 100, 140, root))
    attributes = genai("invoke_agent", **{"agent.name": "billing"})
    run = trace.span("invoke_agent billing", 95, 250, attributes, root, service=service)
    trace.span("chat m", 96, 120, genai("chat"), run, service=service)
    assert told(rows(trace)) == [("triage", "billing", "handoff", completed)]


def test_a_run_of_another_service_that_ended_before_is_not_what_a_handoff_led_to() -> None:
    trace = Trace()
    root = trace.span("POST /chat", 0, 300, scope="http")
    attributes = genai("invoke_agent", **{"agent.name": "billing"})
    run = trace.span("invoke_agent billing", 10, 50, attributes, root, service="billing")
    trace.span("chat m", 11, 20, genai("chat"), run, service="billing")
    trace.tool("transfer_to_billing", 130, 131, trace.agent("triage", 100, 140, root))
    assert told(rows(trace)) == [("triage", "billing", "handoff", False)]
