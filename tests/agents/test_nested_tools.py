"""One tool call that several spans tell of: a framework's, an MCP client's and the MCP server's, nested."""

from __future__ import annotations

import pytest

from collector.processors.agent_stream.runs import find_runs
from collector.processors.agent_transfers.group import prepare
from collector.processors.agent_transfers.model import Span, Value
from tests.agents.build import Trace, rows, told


def nested(trace: Trace, run: Span, tool: str, start: float, end: float, **arguments: Value) -> Span:
    """Add a call of a tool at an MCP server, as three spans; the framework names the server before the tool."""
    outer = trace.tool(f"desk_{tool}", start, end, run, **arguments)
    call: dict[str, Value] = {"mcp.method.name": "tools/call"}
    client = trace.span(f"MCP send tools/call {tool}", start + 1, end - 1, call, outer, scope="mcp-python-sdk")
    told_by_server: dict[str, Value] = {**call, "gen_ai.tool.name": tool}
    return trace.span(f"tools/call {tool}", start + 2, end - 2, told_by_server, client, "fastmcp", "experts")


def test_a_delegation_told_by_three_spans_is_one() -> None:
    trace = Trace()
    run = trace.agent("triage", 0, 100)
    arguments = '{"agent_name": "billing", "task": "refund"}'
    nested(trace, run, "delegate_to_agent", 10, 30, **{"tool.call.arguments": arguments})
    found = rows(trace)
    assert told(found) == [("triage", "billing", "delegation", True)]
    assert found[0].reason == "refund"


def test_the_span_that_names_the_target_counts() -> None:
    trace = Trace()
    run = trace.agent("triage", 0, 100)
    server = nested(trace, run, "transfer_to_agent", 10, 30)
    trace.tool("transfer_to_agent", 13, 20, server, **{"tool.call.arguments": '{"agent_name": "billing"}'})
    trace.agent("billing", 101, 150)
    assert told(rows(trace)) == [("triage", "billing", "handoff", True)]


def test_what_failed_at_the_server_did_not_happen() -> None:
    trace = Trace()
    run = trace.agent("triage", 0, 100)
    outer = trace.tool("delegate_to_agent", 10, 30, run, **{"tool.call.arguments": '{"agent_name": "archive"}'})
    server: dict[str, Value] = {"mcp.method.name": "tools/call", "gen_ai.tool.name": "delegate_to_agent"}
    trace.span("tools/call delegate_to_agent", 12, 28, server, outer, service="experts", error=True)
    assert told(rows(trace)) == [("triage", "archive", "delegation", False)]


def test_an_agent_at_a_server_is_called_by_the_agents_own_tool_call() -> None:
    trace = Trace()
    run = trace.agent("triage", 0, 100)
    server = nested(trace, run, "ask_expert", 10, 60, **{"tool.call.arguments": '{"question": "VAT?"}'})
    trace.agent("expert", 15, 50, server)
    (found,) = rows(trace)
    assert (found.to_agent, found.kind, found.reason) == ("expert", "agent_as_tool", "VAT?")
    assert found.trigger_span_id == trace.spans[2].span_id
    assert trace.spans[2].name == "execute_tool desk_ask_expert"


@pytest.mark.parametrize(("inner", "calls"), [("search", 1), ("fetch", 2)])
def test_runs_count_a_call_once(inner: str, calls: int) -> None:
    trace = Trace()
    outer = trace.tool("search", 10, 60, trace.agent("triage", 0, 100))
    trace.tool(inner, 20, 50, outer)
    assert [run.tool_calls for run in find_runs(prepare(trace.spans))] == [calls]


def test_a_call_by_an_agent_inside_the_call_is_its_own() -> None:
    trace = Trace()
    outer = trace.tool("search", 10, 60, trace.agent("triage", 0, 100))
    trace.tool("search", 30, 40, trace.agent("helper", 20, 50, outer))
    assert sorted(run.tool_calls for run in find_runs(prepare(trace.spans))) == [1, 1]
