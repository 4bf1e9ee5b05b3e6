"""The columns made at ingest say of every span what the rules read from it: one table of conventions, read twice."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue

from collector.processors.agent_stream.rows import agent_span_rows
from collector.processors.agent_transfers.names import clean
from collector.processors.agent_transfers.semantics import normalise
from storage.queries import Signal
from tests.agents.harness import CORPUS, read_spans
from tests.agents.test_semantics import (
    GENAI_LATEST,
    GENAI_OLD,
    LANGFUSE,
    LANGSMITH,
    OPENINFERENCE,
    TRACELOOP,
    VERCEL,
)
from tests.stored import table


def both(request: ExportTraceServiceRequest) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return for every agentic span what the columns say and what the rules read."""
    read = {(span.trace_id, span.span_id): span for span in read_spans(request)}
    told = []
    for row in agent_span_rows(table(Signal.TRACES, request), 1).to_pylist():
        fields = normalise(read[row["trace_id"], row["span_id"]])
        expected = asdict(replace(fields, agent_name=clean(fields.agent_name)))
        told.append(({name: row[name] for name in expected}, expected))
    return told


@pytest.mark.parametrize("family", sorted(CORPUS.iterdir()), ids=lambda folder: folder.name)
def test_columns_and_rules_agree_on_captures(family: Path) -> None:
    files = sorted(family.glob("*/*.traces.pb"))
    pairs = [pair for file in files for pair in both(ExportTraceServiceRequest.FromString(file.read_bytes()))]
    assert pairs or family.name.startswith("plain_logs")
    assert [(said, expected) for said, expected in pairs if said != expected] == []


def one(attributes: dict[str, Any], name: str = "gen_ai span") -> tuple[dict[str, Any], dict[str, Any]]:
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add(name=name, trace_id=b"t" * 16, span_id=b"s" * 8)
    span.attributes.extend(KeyValue(key=key, value=any_value(value)) for key, value in attributes.items())
    span.attributes.add(key="gen_ai.x").value.string_value = "agentic"
    (pair,) = both(request)
    return pair


def any_value(value: Any) -> AnyValue:
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[any_value(item) for item in value]))
    member = {str: "string", bool: "bool", int: "int", float: "double"}[type(value)]
    return AnyValue(**{f"{member}_value": value})


@pytest.mark.parametrize("attributes", [GENAI_LATEST, GENAI_OLD, OPENINFERENCE, TRACELOOP, LANGSMITH, LANGFUSE, VERCEL])
def test_columns_and_rules_agree_on_conventions(attributes: dict[str, Any]) -> None:
    said, expected = one(attributes)
    assert said == expected
    assert said["input_tokens"] == 10


@pytest.mark.parametrize(
    ("attributes", "field", "value"),
    [
        ({"gen_ai.agent.name": "OpenAI Agent"}, "agent_name", ""),  # names nobody
        ({"gen_ai.agent.name": ["a", "b"]}, "agent_name", ""),  # nested values are no names
        ({"gen_ai.agent.name": True, "agent.name": "billing"}, "agent_name", "billing"),
        ({"gen_ai.agent.name": "null", "agent.name": " billing "}, "agent_name", "billing"),
        ({"metadata": '{"lc_agent_name": "planner", "thread_id": 7}'}, "agent_name", "planner"),
        ({"metadata": '{"lc_agent_name": "planner", "thread_id": 7}'}, "conversation_id", "7"),
        ({"langsmith.metadata.thread_id": '"t-1"'}, "conversation_id", "t-1"),
        ({"user.id": "None", "enduser.id": "amira"}, "user_id", "amira"),
        ({"user.id": 42}, "user_id", "42"),
        ({"gen_ai.operation.name": "invoke_agent", "openinference.span.kind": "LLM"}, "operation", "chat"),
        ({"gen_ai.operation.name": "invoke_agent", "openinference.span.kind": "CHAIN"}, "operation", "invoke_agent"),
        ({"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 3}, "operation", "chat"),
        ({"gen_ai.usage.input_tokens": "many", "gen_ai.usage.prompt_tokens": 3}, "input_tokens", 3),
        ({"gen_ai.usage.input_tokens": -1, "llm.token_count.prompt": 3.0}, "input_tokens", 3),
        ({"langfuse.observation.usage_details": '{"output": 5}'}, "output_tokens", 5),
        ({"langfuse.observation.cost_details": '{"total": 0.5}'}, "cost_usd", 0.5),
        ({"gen_ai.usage.cost": -2.0}, "cost_usd", None),
        ({"gen_ai.operation.name": "execute_tool"}, "tool_name", "gen_ai span"),
        ({"mcp.method.name": "tools/call", "mcp.tool.name": "search"}, "operation", "execute_tool"),
        ({"mcp.method.name": "tools/list"}, "operation", ""),
        ({"user.id": "é" * 10**6}, "user_id", "é" * 1000),
        ({"gen_ai.agent.name": "a" * 10**6, "enduser.id": "amira"}, "agent_name", "a" * 256),
        ({"langsmith.metadata.thread_id": f'"{"c" * 2000}"'}, "conversation_id", "c" * 1000),
        ({"metadata": f'{{"thread_id": "{"c" * 2000}"}}'}, "conversation_id", "c" * 1000),
        ({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "t" * 2000}, "tool_name", "t" * 1000),
    ],
)
def test_columns_and_rules_agree_on_odd_values(attributes: dict[str, Any], field: str, value: object) -> None:
    said, expected = one(attributes)
    assert said == expected
    assert said[field] == value


@pytest.mark.parametrize(
    ("name", "operation", "tool"),
    [
        ("invoke_agent billing", "invoke_agent", ""),
        ("execute_tool search", "execute_tool", "search"),
        ("run_tool search", "", ""),
        ("chat.history", "", ""),
    ],
)
def test_columns_and_rules_agree_on_names(name: str, operation: str, tool: str) -> None:
    said, expected = one({}, name)
    assert said == expected
    assert (said["operation"], said["tool_name"]) == (operation, tool)
