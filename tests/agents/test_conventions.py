"""Conventions that no capture holds, written after their published descriptions; and one that nobody described."""

from __future__ import annotations

from dataclasses import replace

import pytest

from collector.processors.agent_transfers.model import Event, Link, Value
from tests.agents.build import T0, Trace, genai, rows, told

A_TO_B = [("triage", "billing", "handoff", True)]


def swarm(trace: Trace, **handoff: Value) -> Trace:
    """Two sibling runs; the first calls a tool that carries the given attributes."""
    root = trace.span("workflow", 0, 100)
    first = trace.agent("triage", 1, 40, root)
    trace.span("execute_tool transfer_to_billing", 30, 31, genai("execute_tool", **handoff), first)
    trace.agent("billing", 41, 90, root)
    return trace


def test_draft_with_source_and_target_of_the_handoff_on_the_tool_span() -> None:
    handoff = {"tool.name": "x", "agent.handoff.source.name": "triage", "agent.handoff.target.name": "billing"}
    assert told(rows(swarm(Trace(), **handoff))) == A_TO_B


@pytest.mark.parametrize(
    ("mode", "kind", "waits"), [("pass_control", "handoff", False), ("return_to_caller", "delegation", True)]
)
def test_draft_with_transfer_mode_and_target(mode: str, kind: str, waits: bool) -> None:
    transfer = {"tool.name": "x", "agent.name": "triage", "transfer.mode": mode, "transfer.target.name": "billing"}
    found = rows(swarm(Trace(), **{"transfer.target.type": "agent", **transfer}))
    assert told(found) == [("triage", "billing", kind, True)]
    assert found[0].waits is waits


def test_draft_transfer_to_a_human_is_not_one_between_agents() -> None:
    trace = Trace()
    first = trace.agent("triage", 0, 50)
    target = {"transfer.target.type": "human", "transfer.target.name": "support desk", "transfer.mode": "pass_control"}
    trace.tool("escalate", 10, 11, first, **target)
    assert rows(trace) == []


def test_draft_remote_invocation_that_names_its_caller() -> None:
    trace = Trace()
    client = trace.span("POST", 0, 50, scope="http")
    trace.agent("weather", 5, 45, client, **{"caller.type": "agent", "caller.name": "planner"})
    assert told(rows(trace)) == [("planner", "weather", "delegation", True)]


def test_caller_that_is_a_workflow_is_no_agent() -> None:
    trace = Trace()
    trace.agent("weather", 5, 45, None, **{"caller.type": "workflow", "caller.name": "nightly"})
    assert rows(trace) == []


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("handoff from triage to billing", {"sentry.op": "gen_ai.handoff"}),
        ("Handoff: triage -> billing", {"gen_ai.operation.name": "handoff", "openai.agents.handoff.from": "triage"}),
        ("acme.agent.handoff", {"gen_ai.operation.name": "handoff", "acme.handoff.source_agent": "triage",
        "acme.handoff.target_agent": "billing"}),
        ("delegate", {"gen_ai.delegation.source.agent.name": "triage",
        "gen_ai.delegation.target.agent.name": "billing"}),
        ("handoff", {"gen_ai.operation.name": "handoff", "gen_ai.agent.name": "triage",
        "gen_ai.target.agent.name": "billing"}),
        ("step", {"gen_ai.source_agent": "triage", "gen_ai.target_agent": "billing"}),
        ("handoff", {"span.kind": "handoff", "fromAgent": "triage", "toAgent": "billing"}),
    ],
)  # fmt: skip
def test_vendors_handoff_spans(name: str, attributes: dict[str, Value]) -> None:
    trace = Trace()
    root = trace.span("workflow", 0, 100)
    trace.span(name, 39, 40, attributes, trace.agent("triage", 1, 40, root))
    trace.agent("billing", 41, 90, root)
    assert [(row.from_agent, row.to_agent) for row in rows(trace)] == [("triage", "billing")]


def test_handoff_recorded_as_an_event_of_the_run() -> None:
    trace = Trace()
    keys: dict[str, Value] = {
        "gen_ai.handoff.from_agent": "root",
        "gen_ai.handoff.to_agent": "orders",
        "content": "take over",
    }
    event = Event("gen_ai.agent.transfer", T0 + 20_000_000, keys)
    run = trace.span("invoke_agent root", 0, 60, genai("invoke_agent", **{"agent.name": "root"}), events=(event,))
    trace.agent("orders", 25, 55, run)
    assert told(rows(trace)) == [("root", "orders", "handoff", True)]


def test_handoff_span_alone_counts_where_no_run_is_visible() -> None:
    trace = Trace()
    trace.span("handoff", 0, 1, {"from_agent": "a1", "to_agent": "b1"})
    assert told(rows(trace)) == [("a1", "b1", "handoff", True)]


def test_handoff_to_an_agent_that_never_ran_is_an_attempt() -> None:
    trace = Trace()
    run = trace.agent("triage", 0, 50)
    trace.span("handoff", 10, 11, {"from_agent": "triage", "to_agent": "ghost"}, run)
    assert told(rows(trace)) == [("triage", "ghost", "handoff", False)]


def langfuse(kind: str, **more: Value) -> dict[str, Value]:
    return {"langfuse.observation.type": kind, **more}


def test_langfuse_observations() -> None:
    trace = Trace(scope="langfuse-sdk")
    lead = trace.span("lead_agent", 0, 100, langfuse("agent"))
    trace.span("llm", 1, 5, langfuse("generation"), lead)
    tool = trace.span("ask_research", 10, 50, langfuse("tool"), lead)
    research = trace.span("research_agent", 11, 49, langfuse("agent"), tool)
    trace.span("llm", 12, 20, langfuse("generation"), research)
    assert told(rows(trace)) == [("lead_agent", "research_agent", "agent_as_tool", True)]


def test_azure_thread_runs() -> None:
    trace = Trace(scope="azure.ai.agents")
    run = trace.span(
        "process_thread_run main",
        0,
        100,
        genai("process_thread_run", **{"agent.name": "main", "thread.id": "thread_1"}),
    )
    tool = trace.tool("connected_agent", 10, 50, run)
    trace.agent("stock_agent", 11, 49, tool)
    assert told(rows(trace)) == [("main", "stock_agent", "agent_as_tool", True)]


def test_bedrock_collaborators() -> None:
    trace = Trace(scope="openinference.instrumentation.bedrock")
    kind = "openinference.span.kind"
    root = trace.span("bedrock_agent.invoke_agent", 0, 100, {kind: "AGENT"})
    trace.span("LLM", 1, 5, {kind: "LLM"}, root)
    inner = trace.span("agent_collaborator[refunds]", 10, 60, {kind: "AGENT", "agent.name": "refunds"}, root)
    trace.span("LLM", 12, 20, {kind: "LLM"}, inner)
    assert [row.to_agent for row in rows(trace)] == ["refunds"]


def test_agent_to_agent_protocol_across_services() -> None:
    trace = Trace()
    desk = trace.agent("front_desk", 0, 100)
    call = trace.span("a2a.client.send_message", 10, 90, {"a2a.method.name": "message/send"}, desk)
    server = trace.span("POST /a2a", 12, 88, {}, call, service="billing")
    run = trace.span(
        "invoke_agent billing", 15, 80, genai("invoke_agent", **{"agent.name": "billing"}), server, service="billing"
    )
    trace.span("chat m", 16, 20, genai("chat"), run, service="billing")
    assert told(rows(trace)) == [("front_desk", "billing", "delegation", True)]


def test_clocks_of_two_services_may_differ() -> None:
    trace = Trace()
    desk = trace.agent("front_desk", 0, 100)
    run = trace.span(
        "invoke_agent billing", 400, 480, genai("invoke_agent", **{"agent.name": "billing"}), desk, service="billing"
    )
    trace.span("chat m", 401, 420, genai("chat"), run, service="billing")
    assert told(rows(trace)) == [("front_desk", "billing", "delegation", True)]


def test_a_convention_nobody_described() -> None:
    trace = Trace(scope="acme.orchestrator")
    root = trace.span("acme.flow", 0, 100, {"acme.span.type": "flow"})
    first = trace.span("triage", 1, 40, {"acme.span.type": "AGENT", "acme.agent.name": "triage"}, root)
    trace.span("model", 2, 20, {"acme.span.type": "LLM"}, first)
    second = trace.span("billing", 41, 90, {"acme.span.type": "AGENT", "acme.agent.name": "billing"}, root)
    trace.span("model", 42, 50, {"acme.span.type": "LLM"}, second)
    tool = trace.span("ask", 60, 80, {"acme.span.type": "tool", "tool.name": "ask"}, second)
    third = trace.span("expert", 61, 79, {"acme.span.type": "AGENT", "acme.agent.name": "expert"}, tool)
    trace.span("model", 62, 70, {"acme.span.type": "LLM"}, third)
    assert told(rows(trace)) == [("triage", "billing", "sequence", True), ("billing", "expert", "agent_as_tool", True)]


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


UNIQUE = "01a1fbec-72d0-753c-847a-48c2becc4be7"


@pytest.mark.parametrize(
    ("conversation", "gap", "expected"),
    [(UNIQUE, 100, [("triage", "billing", "sequence", True)]), ("thread-1", 100, []), (UNIQUE, 60_000, [])],
)
def test_runs_in_traces_of_their_own(conversation: str, gap: float, expected: list[tuple[str, str, str, bool]]) -> None:
    """One conversation carried on at once is a sequence; an id made by hand, or a later turn, is not."""
    first, second = Trace(1), Trace(2)
    first.agent("triage", 0, 50, None, **{"conversation.id": conversation})
    second.agent("billing", 50 + gap, 100 + gap, None, **{"conversation.id": conversation})
    assert told(rows(first, second)) == expected


def test_handoff_answered_in_the_next_trace_of_the_conversation() -> None:
    first, second = Trace(1), Trace(2)
    run = first.agent("triage", 0, 50, None, **{"conversation.id": UNIQUE})
    first.tool("transfer_to_agent", 30, 31, run, **{"tool.call.arguments": '{"agent_name": "billing"}'})
    second.agent("billing", 70, 100, None, **{"conversation.id": UNIQUE})
    found = rows(first, second)
    assert told(found) == A_TO_B
    assert (found[0].trace_id, found[0].target_trace_id) == (first.trace_id, second.trace_id)


def test_supervisor_that_gets_control_back() -> None:
    trace = Trace()
    root = trace.span("workflow", 0, 200)
    trace.tool("transfer_to_math", 20, 21, trace.agent("supervisor", 1, 30, root))
    trace.agent("math", 35, 60, root)
    trace.agent("supervisor", 65, 90, root)
    assert told(rows(trace)) == [("supervisor", "math", "handoff", True), ("math", "supervisor", "return", True)]


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


def test_handoffs_without_a_target_stay_within_their_run() -> None:
    """Two runs interleaved in one trace, each below its own workflow span."""
    trace = Trace()
    app = trace.span("request", 0, 200, scope="app")
    for color, shift in (("red", 0), ("blue", 1)):
        flow = trace.span("Agent Workflow", 1 + shift, 190, {}, app)
        first = trace.agent(f"{color}_triage", 2 + shift, 50 + shift, flow)
        trace.span("handoff", 49 + shift, 50 + shift, {"gen_ai.handoff.from_agent": f"{color}_triage"}, first)
        trace.agent(f"{color}_billing", 60 - 5 * shift, 150, flow)
    pairs = sorted((row.from_agent, row.to_agent) for row in rows(trace))
    assert pairs == [("blue_triage", "blue_billing"), ("red_triage", "red_billing")]


def test_flat_agents_in_tools_of_runs_side_by_side() -> None:
    trace = Trace()
    app = trace.span("request", 0, 200, scope="app")
    for color, shift in (("red", 0), ("blue", 1)):
        flow = trace.span("Agent Workflow", 1 + shift, 190, {}, app)
        trace.tool("ask", 20 + shift, 80 + shift, trace.agent(f"{color}_manager", 2, 180, flow))
        trace.agent(f"{color}_expert", 23, 79, flow)
    pairs = sorted((row.from_agent, row.to_agent) for row in rows(trace))
    assert pairs == [("blue_manager", "blue_expert"), ("red_manager", "red_expert")]


def test_work_sent_as_a_message_to_another_trace() -> None:
    sender, receiver = Trace(1), Trace(2)
    run = sender.agent("front_desk", 0, 50)
    sent = sender.span("orders publish", 30, 31, {"messaging.operation.name": "publish"}, run)
    links = (Link(sent.trace_id, sent.span_id, {}),)
    handler = receiver.span("orders process", 60, 120, {}, links=links, service="billing")
    receiver.agent("billing", 65, 110, handler)
    found = rows(sender, receiver)
    assert told(found) == [("front_desk", "billing", "handoff", True)]
    assert (found[0].trigger_span_id, found[0].target_trace_id) == (sent.span_id, receiver.trace_id)
