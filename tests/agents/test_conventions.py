"""Conventions that no capture holds, written after their published descriptions; and one that nobody described."""

from __future__ import annotations

import pytest

from collector.processors.agent_transfers.model import Event, Value
from tests.agents.build import T0, Trace, genai, rows, told


def swarm(trace: Trace, **handoff: Value) -> Trace:
    """Two sibling runs; the first calls a tool that carries the given attributes."""
    root = trace.span("workflow", 0, 100)
    first = trace.agent("triage", 1, 40, root)
    trace.span("execute_tool transfer_to_billing", 30, 31, genai("execute_tool", **handoff), first)
    trace.agent("billing", 41, 90, root)
    return trace


def test_draft_with_source_and_target_of_the_handoff_on_the_tool_span() -> None:
    handoff = {"tool.name": "x", "agent.handoff.source.name": "triage", "agent.handoff.target.name": "billing"}
    assert told(rows(swarm(Trace(), **handoff))) == [("triage", "billing", "handoff", True)]


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
