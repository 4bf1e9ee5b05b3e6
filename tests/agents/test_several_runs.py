"""Runs side by side in one trace, and one piece of work over several traces."""

from __future__ import annotations

import pytest

from collector.processors.agent_transfers.model import Link
from tests.agents.build import Trace, rows, told


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
    assert told(found) == [("triage", "billing", "handoff", True)]
    assert (found[0].trace_id, found[0].target_trace_id) == (first.trace_id, second.trace_id)


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
