"""The rules on telemetry that is broken, hostile, duplicated, cut up or huge."""

from __future__ import annotations

import random
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.processors.agent_transfers.detect import Options, detect
from collector.processors.agent_transfers.grouping import (
    JOIN_BUCKET_NANO,
    JOIN_GAP_NANO,
    MAX_GROUP_TRACES,
    TraceSummary,
    form_groups,
    is_unique_id,
)
from collector.processors.agent_transfers.model import Link, Span, Value
from tests.agents.build import MS, Trace, genai, log, rows, told
from tests.agents.harness import load

KEYS = (
    "gen_ai.agent.name", "gen_ai.operation.name", "openinference.span.kind", "metadata", "gen_ai.tool.name",
    "gen_ai.tool.call.arguments", "input.value", "agent.name", "graph.node.id", "from_agent", "to_agent",
    "langgraph.command.goto_node", "gen_ai.workflow.edges", "logfire.msg", "logfire.span_type",
    "gen_ai.conversation.id",
    "langfuse.observation.usage_details", "gen_ai.usage.input_tokens", "executor.id", "message.destination_executor_id",
    "ai.operationId", "ai.telemetry.functionId", "traceloop.span.kind", "langfuse.observation.type",
)  # fmt: skip
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.binary(max_size=4),
    st.sampled_from(["", "a", "b", "null", "AGENT", "TOOL", "LLM", "handoff", "invoke_agent", "{", "[1",
    '{"agent_name": 5}',
                     '{"langgraph_node": "a", "langgraph_checkpoint_ns": "a:1|b:2"}', "transfer_to_agent",
                     "transfer_to_b"]),
    st.lists(st.integers(), max_size=2), st.dictionaries(st.text(max_size=2), st.text(max_size=2), max_size=2),
)  # fmt: skip
TIMES = st.one_of(st.integers(0, 50), st.sampled_from([0, 2**63, 2**64 - 1]))
NAMES = st.sampled_from(
    ["", "invoke_agent a", "handoff to b", "x → y.handoff", "agent run", "agent_run [b]", "execute_tool t"]
)


@st.composite
def spans(draw: st.DrawFn) -> Span:
    link = (Link(draw(st.integers(0, 2)).to_bytes(16, "big"), b"\1" * 8, {}),)
    return Span(
        trace_id=draw(st.integers(0, 2)).to_bytes(16, "big"),
        span_id=draw(st.integers(0, 9)).to_bytes(8, "big"),
        parent_span_id=draw(st.one_of(st.just(b""), st.integers(0, 9).map(lambda n: n.to_bytes(8, "big")))),
        name=draw(NAMES),
        kind=draw(st.integers(0, 5)),
        start_time_unix_nano=draw(TIMES),
        end_time_unix_nano=draw(TIMES),
        status_code=draw(st.integers(0, 2)),
        status_message="",
        attributes=draw(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=5)),
        events=(),
        links=draw(st.sampled_from([(), link])),
        service_name="s",
        scope_name=draw(st.sampled_from(["", "a", "langchain"])),
        resource_attributes={},
    )


@settings(max_examples=150, deadline=None)
@given(st.lists(spans(), max_size=14), st.randoms(use_true_random=False))
def test_any_spans_in_any_order_any_number_of_times_give_one_result(
    given_spans: list[Span], mixed: random.Random
) -> None:
    plain = detect(given_spans, [], Options())
    again = given_spans + given_spans[: len(given_spans) // 2]
    mixed.shuffle(again)
    assert detect(again, [], Options()) == plain


def test_a_copy_of_a_span_that_ended_later_wins() -> None:
    trace = Trace()
    run = trace.agent("triage", 0, 50)
    started = replace(run, end_time_unix_nano=run.start_time_unix_nano, attributes={})
    handoff = trace.span("handoff", 10, 11, {"from_agent": "triage", "to_agent": "billing"}, run)
    assert handoff.name == "handoff"
    both = [started, *trace.spans]
    assert detect(both, [], Options()) == detect(both[::-1], [], Options()) == rows(trace)


def test_cycles_self_parents_and_missing_parents() -> None:
    trace = Trace()
    one = trace.agent("a1", 0, 50)
    two = trace.agent("b1", 60, 90)
    loop = [replace(one, parent_span_id=two.span_id), replace(two, parent_span_id=one.span_id)]
    assert detect(loop, [], Options()) == detect(loop[::-1], [], Options())
    assert detect([replace(one, parent_span_id=one.span_id)], [], Options()) == []
    assert detect([replace(two, parent_span_id=b"\xff" * 8)], [], Options()) == []


@pytest.mark.parametrize("shape", ["flat", "deep", "linked", "tools", "handoffs", "messages", "declared", "methods"])
def test_ten_thousand_spans_take_about_a_second(shape: str) -> None:
    """A guard against quadratic work: the bound is ten times what it takes."""
    started = time.process_time()
    detect(_huge(shape, 10_000), [], Options())
    assert time.process_time() - started < 15


def _huge(shape: str, count: int) -> list[Span]:
    trace = Trace()
    edges: list[Value] = [f"x{number} -> y{number}" for number in range(count if shape == "declared" else 0)]
    declared: dict[str, Value] = {**genai("invoke_workflow"), "gen_ai.workflow.edges": edges}
    root = trace.span("workflow", 0, count * 10, declared if edges else {})
    if shape == "methods":
        trace.span("agent" + ".run" * 10 * count + "!", 0, 1, genai("invoke_agent"), root)
    above = root
    for number in range(2, count):
        run = genai("invoke_agent", **{"agent.name": f"a{number % 50}"})
        at = float(number)
        if shape in {"flat", "declared"}:
            trace.span("invoke_agent", at, at + 0.5, run, root)
        elif shape == "deep":
            above = trace.span("invoke_agent", at, count * 3 - at, run, above)
        elif shape == "linked":
            one = Trace(number)
            links = (Link((number - 1).to_bytes(16, "big"), b"\1" * 8, {}),)
            trace.spans.append(one.span("invoke_agent", at, at + 0.5, run, links=links))
        elif shape == "messages":
            above = trace.span("message.send", at, count * 3 - at, {"message.destination_executor_id": "a1"}, above)
        elif shape == "tools":
            trace.tool("transfer_to_agent", at, count * 5, root, **{"agent.name": f"a{number % 9}"})
        else:
            keys: dict[str, Value] = {"from_agent": "x1", "to_agent": f"a{number % 50}"}
            trace.span("handoff" if number % 2 else "invoke_agent", at, at + 0.5, keys if number % 2 else run, root)
    return trace.spans


def summary(number: int, start: int, end: int, links: tuple[int, ...] = (), conversation: str = "") -> TraceSummary:
    ids = frozenset(link.to_bytes(16, "big") for link in links)
    return TraceSummary(number.to_bytes(16, "big"), start, end, ids, frozenset({conversation} - {""}))


def ids(groups: list[tuple[bytes, ...]]) -> list[list[int]]:
    return [[int.from_bytes(member, "big") for member in group] for group in groups]


def test_groups_follow_links_in_both_directions_and_through_unknown_traces() -> None:
    traces = [summary(1, 0, 1, (9,)), summary(2, 5, 6, (9,)), summary(3, 2, 3), summary(4, 4, 5, (3,))]
    assert ids(form_groups(traces)) == ids(form_groups(traces[::-1])) == [[1, 2], [3, 4]]


def test_groups_follow_a_conversation_only_while_it_goes_on() -> None:
    gap = JOIN_GAP_NANO
    traces = [summary(1, 0, 1, (), "c"), summary(2, gap, gap + 1, (), "c"), summary(3, 3 * gap, 3 * gap + 1, (), "c")]
    assert ids(form_groups(traces)) == [[1, 2], [3]]
    across = [
        summary(1, JOIN_BUCKET_NANO - 2, JOIN_BUCKET_NANO - 1, (), "c"),
        summary(2, JOIN_BUCKET_NANO, JOIN_BUCKET_NANO + 1, (), "c"),
    ]
    assert ids(form_groups(across)) == [[1], [2]]


def test_groups_are_bounded() -> None:
    traces = [summary(number, number, number + 1, (number - 1,)) for number in range(1, 1000)]
    groups = form_groups(traces)
    assert max(len(group) for group in groups) == MAX_GROUP_TRACES
    assert sum(len(group) for group in groups) == 999


@pytest.mark.parametrize(
    ("value", "unique"),
    [
        ("01a1fbec-72d0-753c-847a-48c2becc4be7", True),
        ("thread_9f8e7d6c5b4a39281706f5e4", True),
        ("01ARZ3NDEKTSV4RRFFQ69G5FAV", True),
        ("t-1", False),
        ("thread-1", False),
        ("conversation-1", False),
        ("my-long-demo-conversation", False),
        ("", False),
    ],
)
def test_ids_that_may_join_traces(value: str, unique: bool) -> None:
    assert is_unique_id(value) is unique


def test_rows_do_not_depend_on_how_a_scenario_was_cut() -> None:
    """Recomputing with more spans replaces rows; with the same spans it gives the same ids."""
    scenario = next(s for s in load(only="openai_agents__traceloop/2b_pingpong"))
    full = detect(scenario.spans, scenario.logs, Options())
    assert detect(scenario.spans[::-1], scenario.logs, Options()) == full
    assert len({row.id for row in full}) == len(full) == 3


def test_no_trace_and_no_span_at_all() -> None:
    assert detect([], [], Options()) == []
    assert told(rows(logs=(log("Agent 1 delegates to agent 2"),))) == [("1", "2", "delegation", True)]
    assert MS == 1_000_000
