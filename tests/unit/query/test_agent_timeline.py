"""Which agent a span works for, and which of nested model calls is shown."""

from typing import Any

import pytest

from collector.query.agents.shown_calls import shown_model_calls, shown_tool_calls
from collector.query.agents.span_tree import Node, SpanTree
from collector.query.agents.timeline import Sources, entries

TRACE = bytes(16)


def key(number: int) -> tuple[bytes, bytes]:
    return TRACE, number.to_bytes(8, "big")


def node(number: int, parent: int, status: int = 0, message: str = "") -> Node:
    above = parent.to_bytes(8, "big") if parent else b""
    return Node(*key(number), above, f"span {number}", number, 10, status, message, "desk")


def tree(parents: dict[int, int], agents: dict[int, str] | None = None) -> SpanTree:
    nodes = [node(number, parent) for number, parent in parents.items()]
    return SpanTree({each.key: each for each in nodes}, {key(n): name for n, name in (agents or {}).items()})


def test_the_innermost_run_around_a_span_is_its_agent() -> None:
    found = tree({1: 0, 2: 1, 3: 2, 4: 3, 5: 1}, {1: "outer", 3: "inner"})
    assert [found.agent_of(key(number)) for number in (5, 4, 3, 2, 1, 9)] == [
        "outer",
        "inner",
        "inner",
        "outer",
        "outer",
        "",
    ]


def test_cycles_and_missing_parents_end_the_search() -> None:
    found = tree({1: 2, 2: 1, 3: 3, 4: 77})
    assert [found.agent_of(key(number)) for number in (1, 2, 3, 4)] == [""] * 4


def row(number: int, operation: str = "chat", tokens: int | None = None) -> dict[str, Any]:
    trace_id, span_id = key(number)
    found: dict[str, Any] = {"trace_id": trace_id, "span_id": span_id, "operation": operation, "input_tokens": tokens}
    return found | {"output_tokens": None, "cost_usd": None}


@pytest.mark.parametrize(
    ("spans", "shown"),
    [
        ([row(1, tokens=5), row(2, tokens=5)], {2}),  # both say what was spent: the inner one
        ([row(1, tokens=5), row(2)], {1}),  # only the outer does
        ([row(1), row(2, tokens=5)], {2}),
        ([row(1), row(2)], {2}),  # none does
        ([row(1, tokens=5), row(2, "execute_tool"), row(3, tokens=7)], {1, 3}),  # made inside a tool
        ([row(1, "workflow"), row(3, "embeddings")], {3}),
    ],
)
def test_one_of_nested_model_calls_is_shown(spans: list[dict[str, Any]], shown: set[int]) -> None:
    assert shown_model_calls(spans, tree({1: 0, 2: 1, 3: 2})) == {key(number) for number in shown}


def tool(number: int, name: str) -> dict[str, Any]:
    return row(number, "execute_tool") | {"tool_name": name}


@pytest.mark.parametrize(
    ("spans", "runs", "shown"),
    [
        ([tool(1, "ask"), tool(2, "ask"), tool(3, "ask")], set(), {1}),  # framework, client and server
        ([tool(1, "desk_ask"), tool(3, "ask")], set(), {1}),
        ([tool(1, "ask"), tool(2, "search")], set(), {1, 2}),  # a tool that uses another
        ([tool(1, "ask"), tool(3, "ask")], {2}, {1, 3}),  # made by an agent inside
        ([tool(1, "ask"), tool(5, "ask")], set(), {1, 5}),
    ],
)
def test_one_of_nested_tool_calls_is_shown(spans: list[dict[str, Any]], runs: set[int], shown: set[int]) -> None:
    found = shown_tool_calls(spans, tree({1: 0, 2: 1, 3: 2, 5: 4, 4: 0}), {key(number) for number in runs})
    assert found == {key(number) for number in shown}


def test_calls_far_below_are_found_in_one_walk() -> None:
    """As many silent calls as there are spans above each: walking up from every one would take minutes."""
    deep = 20_000
    spans = tree({number: min(number - 1, deep) for number in range(1, 2 * deep)})
    calls = [row(number) for number in range(deep + 1, 2 * deep)]
    assert len(shown_model_calls(calls, spans)) == deep - 1
    tools = [tool(number, "t") for number in range(deep + 1, 2 * deep)]
    assert len(shown_tool_calls(tools, spans, frozenset())) == deep - 1


def log(**more: Any) -> dict[str, Any]:
    plain = {"trace_id": TRACE.hex(), "span_id": None, "time_unix_nano": 5, "body": "x", "event_name": None}
    return {**plain, "service": "desk", "severity": "INFO", "severity_number": 9, **more}


@pytest.mark.parametrize(
    ("body", "summary"),
    [
        ("two\nlines\t and more", "two lines and more"),
        ({"message": "hello"}, '{"message":"hello"}'),
        ("word " * 1000, "word " * 59 + "word…"),
        (None, ""),
        ("", ""),
    ],
)
def test_a_summary_is_one_short_line(body: object, summary: str) -> None:
    (entry,) = entries(Sources([], [], [], [], [log(body=body)]))
    assert entry["summary"] == summary
    assert len(entry["summary"]) <= 300


def test_what_failed_without_being_a_call_is_an_error() -> None:
    found = entries(Sources([node(1, 0, 2, "boom"), node(2, 1, 2), node(3, 2, 1)], [], [], [], []))
    assert [(entry["type"], entry["summary"]) for entry in found] == [
        ("error", "span 1 failed: boom"),
        ("error", "span 2 failed"),
    ]
