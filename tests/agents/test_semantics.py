"""One span's agent fields in every convention, and model calls that count once."""

from __future__ import annotations

import pytest

from collector.processors.agent_transfers.model import Value
from collector.processors.agent_transfers.semantics import AgentFields, counted_model_calls, normal_operation, normalise
from collector.processors.agent_transfers.semantics_table import FIELD_KEYS, MODEL_CALLS, OPERATIONS
from tests.agents.build import Trace
from tests.agents.harness import load


def fields(attributes: dict[str, Value], name: str = "span") -> AgentFields:
    return normalise(Trace().span(name, 0, 1, attributes))


GENAI_LATEST: dict[str, Value] = {
    "gen_ai.operation.name": "chat", "gen_ai.agent.name": "a", "gen_ai.agent.id": "7", "gen_ai.conversation.id": "c",
    "gen_ai.request.model": "asked", "gen_ai.response.model": "m", "gen_ai.provider.name": "p", "gen_ai.system": "old",
    "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5, "gen_ai.usage.cache_read.input_tokens": 3,
    "gen_ai.usage.reasoning.output_tokens": 2, "user.id": "u",
}  # fmt: skip
GENAI_OLD: dict[str, Value] = {
    "gen_ai.operation.name": "chat", "gen_ai.agent.name": "a", "gen_ai.agent.id": "7", "gen_ai.request.model": "m",
    "gen_ai.system": "p", "gen_ai.usage.prompt_tokens": 10, "gen_ai.usage.completion_tokens": 5, "enduser.id": "u",
    "gen_ai.conversation.id": "c", "gen_ai.usage.cache_read_input_tokens": 3, "gen_ai.usage.reasoning_tokens": 2,
}  # fmt: skip
OPENINFERENCE: dict[str, Value] = {
    "openinference.span.kind": "LLM", "agent.name": "a", "agent.id": "7", "session.id": "c", "llm.model_name": "m",
    "llm.provider": "p", "llm.token_count.prompt": 10, "llm.token_count.completion": 5, "user.id": "u",
    "llm.token_count.prompt_details.cache_read": 3, "llm.token_count.completion_details.reasoning": 2,
}  # fmt: skip
TRACELOOP: dict[str, Value] = {
    "llm.request.type": "chat", "gen_ai.agent.name": "a", "gen_ai.agent.id": "7", "gen_ai.request.model": "m",
    "traceloop.association.properties.session_id": "c", "traceloop.association.properties.user_id": "u",
    "gen_ai.system": "p", "gen_ai.usage.prompt_tokens": "10", "gen_ai.usage.completion_tokens": "5",
    "gen_ai.usage.cache_read_input_tokens": 3, "gen_ai.usage.reasoning_tokens": 2,
}  # fmt: skip
LANGSMITH: dict[str, Value] = {
    "langsmith.span.kind": "llm", "langsmith.metadata.lc_agent_name": "a", "agent_id": "7", "gen_ai.request.model": "m",
    "langsmith.metadata.thread_id": "c", "langsmith.metadata.user_id": "u", "gen_ai.system": "p",
    "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5,
    "gen_ai.usage.input_token_details.cache_read": 3, "gen_ai.usage.output_token_details.reasoning": 2,
}  # fmt: skip
LANGFUSE: dict[str, Value] = {
    "langfuse.observation.type": "generation", "langfuse.observation.metadata.agent_name": "a", "agent.id": "7",
    "langfuse.session.id": "c", "langfuse.user.id": "u", "langfuse.observation.model.name": "m", "gen_ai.system": "p",
    "langfuse.observation.usage_details":
        '{"input": 10, "output": 5, "input_cached_tokens": 3, "output_reasoning_tokens": 2}',
}  # fmt: skip
VERCEL: dict[str, Value] = {
    "ai.operationId": "ai.generateText.doGenerate", "ai.telemetry.metadata.agentName": "a", "agentId": "7",
    "ai.telemetry.metadata.sessionId": "c", "ai.telemetry.metadata.userId": "u", "ai.model.id": "m",
    "ai.model.provider": "p", "ai.usage.inputTokens": 10, "ai.usage.outputTokens": 5,
    "ai.usage.cachedInputTokens": 3, "ai.usage.reasoningTokens": 2,
}  # fmt: skip


@pytest.mark.parametrize("attributes", [GENAI_LATEST, GENAI_OLD, OPENINFERENCE, TRACELOOP, LANGSMITH, LANGFUSE, VERCEL])
def test_every_convention_gives_the_same_fields(attributes: dict[str, Value]) -> None:
    assert fields(attributes) == AgentFields("a", "7", "c", "u", "m", "p", "chat", 10, 5, 3, 2, None, "")


@pytest.mark.parametrize(
    ("attributes", "cost"),
    [
        ({"gen_ai.usage.cost": 0.5}, 0.5),
        ({"llm.cost.total": "0.5"}, 0.5),
        ({"operation.cost": 1.35e-05}, 1.35e-05),
        ({"langfuse.observation.cost_details": '{"input": 0.1, "total": 0.5}'}, 0.5),
        ({"gen_ai.usage.cost": "free"}, None),
    ],
)
def test_cost(attributes: dict[str, Value], cost: float | None) -> None:
    assert fields(attributes).cost_usd == cost


@pytest.mark.parametrize(
    ("attributes", "name", "operation"),
    [
        ({"gen_ai.operation.name": "generate_content"}, "x", "chat"),
        ({"gen_ai.operation.name": "embeddings"}, "x", "embeddings"),
        ({"gen_ai.operation.name": "agent_handoff"}, "x", "handoff"),
        ({"gen_ai.operation.name": "invoke_agent", "openinference.span.kind": "LLM"}, "x", "chat"),
        ({"gen_ai.operation.name": "invoke_agent", "openinference.span.kind": "CHAIN"}, "x", "invoke_agent"),
        ({"traceloop.span.kind": "tool"}, "x", "execute_tool"),
        ({"sentry.op": "gen_ai.invoke_agent"}, "x", "invoke_agent"),
        ({"langfuse.observation.type": "agent"}, "x", "invoke_agent"),
        ({"gen_ai.operation.name": "process_thread_run"}, "x", "invoke_agent"),
        ({"ai.operationId": "ai.generateText"}, "x", ""),
        ({}, "invoke_agent billing", "invoke_agent"),
        ({}, "execute_tool search", "execute_tool"),
        ({"llm.model_name": "m", "llm.token_count.prompt": 1}, "x", "chat"),
        ({"http.request.method": "GET"}, "GET /chat", ""),
        ({"gen_ai.operation.name": 7}, "x", ""),
    ],
)
def test_operation(attributes: dict[str, Value], name: str, operation: str) -> None:
    assert fields(attributes, name).operation == operation


@pytest.mark.parametrize(
    ("attributes", "tool"),
    [
        ({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "t"}, "t"),
        ({"traceloop.span.kind": "tool", "traceloop.entity.name": "t"}, "t"),
        ({"ai.toolCall.name": "t"}, "t"),
        ({"langfuse.observation.type": "tool"}, "span"),
        ({"gen_ai.operation.name": "chat"}, ""),
    ],
)
def test_tool_name(attributes: dict[str, Value], tool: str) -> None:
    assert fields(attributes).tool_name == tool


def test_metadata_in_one_json_text() -> None:
    assert fields({"metadata": '{"thread_id": "t-1", "lc_agent_name": "a"}'}).conversation_id == "t-1"
    assert fields({"metadata": '{"lc_agent_name": "a"}'}).agent_name == "a"
    assert fields({"metadata": "not json thread_id"}).conversation_id == ""


def test_metadata_values_that_are_json_texts() -> None:
    assert fields({"langfuse.observation.metadata.lc_agent_name": '"planner"'}).agent_name == "planner"
    assert fields({"langsmith.metadata.thread_id": '"t-1"'}).conversation_id == "t-1"


def test_values_of_unexpected_types_are_unknown_not_errors() -> None:
    odd: list[Value] = [None, True, b"x", [], {}, float("nan"), -1, "many"]
    for value in odd:
        found = fields(dict.fromkeys((key for keys in FIELD_KEYS.values() for key in keys), value))
        assert found.input_tokens is None


def test_the_table_is_plain_data_without_repetitions() -> None:
    for keys in FIELD_KEYS.values():
        assert len(set(keys)) == len(keys)
    assert set(OPERATIONS.values()) >= MODEL_CALLS
    assert all(normal_operation(spelling) == operation for spelling, operation in OPERATIONS.items())


def test_nested_reports_of_one_call_count_once() -> None:
    trace = Trace()
    usage: dict[str, Value] = {"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 10}
    run = trace.span("invoke_agent a", 0, 100, {"gen_ai.operation.name": "invoke_agent", **usage})
    outer = trace.span("call_llm", 1, 10, usage, run)
    inner = trace.span("chat", 2, 9, {"gen_ai.operation.name": "chat", **usage}, outer)
    without = trace.span("post", 3, 8, {"gen_ai.operation.name": "chat"}, inner)
    assert without in trace.spans
    assert counted_model_calls(trace.spans) == {(inner.trace_id, inner.span_id)}


def test_calls_made_inside_a_tool_are_calls_of_their_own() -> None:
    trace = Trace()
    call: dict[str, Value] = {"openinference.span.kind": "LLM", "llm.token_count.prompt": 10}
    outer = trace.span("invoke_agent a", 0, 100, call)
    inner = trace.span("invoke_agent b", 20, 50, call, trace.tool("b", 10, 60, outer))
    assert counted_model_calls(trace.spans) == {(span.trace_id, span.span_id) for span in (outer, inner)}


@pytest.mark.parametrize(
    "scenario",
    [
        "google_adk__native/4_agent",
        "google_adk__native_schema1/4_agent",
        "strands__native/4_agent",
        "ms_agent_framework__native/4_agent",
        "pydantic_ai__native/4_",
    ],
)
def test_captured_runs_count_every_model_call_once(scenario: str) -> None:
    """Five calls were made in each of these runs; agent spans repeat their sums."""
    assert [len(counted_model_calls(found.spans)) for found in load(only=scenario)] == [5]
