"""An application names the conversation on its own span; agents below it say nothing of one."""

from __future__ import annotations

from collector.processors.agent_stream.runs import find_runs
from collector.processors.agent_transfers.detect import detect
from collector.processors.agent_transfers.group import prepare
from collector.processors.agent_transfers.options import Options
from tests.agents.build import Trace


def agents_below(session: str, own: str = "") -> Trace:
    trace = Trace()
    request = trace.span("POST /chat", 0, 100, {"session.id": session})
    named = {"gen_ai.conversation.id": own} if own else {}
    manager = trace.span("invoke_agent manager", 1, 90, {"gen_ai.operation.name": "invoke_agent", **named}, request)
    trace.span(
        "invoke_agent worker", 20, 50, {"gen_ai.operation.name": "invoke_agent"}, trace.tool("w", 10, 60, manager)
    )
    return trace


def test_runs_and_transfers_belong_to_the_conversation_above_them() -> None:
    trace = agents_below("visit-1")
    assert [row.conversation_id for row in detect(trace.spans, [], Options())] == ["visit-1"]
    assert {run.conversation_id for run in find_runs(prepare(trace.spans))} == {"visit-1"}


def test_what_an_agent_says_itself_comes_first() -> None:
    trace = agents_below("visit-1", own="thread-9")
    assert [row.conversation_id for row in detect(trace.spans, [], Options())] == ["thread-9"]
    assert {run.agent_name: run.conversation_id for run in find_runs(prepare(trace.spans))} == {
        "manager": "thread-9",
        "worker": "thread-9",
    }
