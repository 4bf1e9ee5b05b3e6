"""An application names the conversation and the user on its own span; agents below it say nothing of them."""

from __future__ import annotations

from collector.processors.agent_stream.runs import find_runs
from collector.processors.agent_transfers.detect import detect
from collector.processors.agent_transfers.group import prepare
from collector.processors.agent_transfers.model import Value
from collector.processors.agent_transfers.options import Options
from tests.agents.build import Trace


def agents_below(session: str, own: str = "") -> Trace:
    trace = Trace()
    request = trace.span("POST /chat", 0, 100, {"session.id": session, "enduser.id": "amira"})
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


def test_runs_are_of_the_user_above_them() -> None:
    assert {run.user_id for run in find_runs(prepare(agents_below("visit-1").spans))} == {"amira"}


def test_a_user_that_a_run_names_comes_first() -> None:
    trace = Trace()
    request = trace.span("POST /chat", 0, 100, {"user.id": "amira"})
    run = trace.agent("manager", 1, 90, request)
    trace.span("chat m", 10, 20, {"gen_ai.operation.name": "chat", "user.id": "on behalf of bo"}, run)
    assert [found.user_id for found in find_runs(prepare(trace.spans))] == ["on behalf of bo"]


def test_model_calls_outside_any_agent_belong_to_the_conversation_above_them() -> None:
    trace = Trace()
    request = trace.span("POST /chat", 0, 100, {"session.id": "visit-1", "user.id": "amira"})
    usage: dict[str, Value] = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 7}
    trace.span("chat m", 10, 20, usage, trace.span("prepare", 5, 50, {}, request))
    (found,) = find_runs(prepare(trace.spans))
    assert (found.agent_name, found.conversation_id, found.user_id) == ("", "visit-1", "amira")
    assert (found.model_calls, found.input_tokens) == (1, 7)
