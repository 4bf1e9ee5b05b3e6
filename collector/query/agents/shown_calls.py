"""Which spans of calls are shown: two instrumentations, or client and server, often report one call, nested. Pure."""

from collections.abc import Container, Mapping, Sequence
from typing import Any

from collector.processors.agent_transfers.semantics import innermost_calls
from collector.processors.agent_transfers.semantics_table import MODEL_CALLS
from collector.processors.agent_transfers.tool_calls import told_above
from collector.query.agents.span_tree import Key, SpanTree

_SPENT = ("input_tokens", "output_tokens", "cost_usd")


def shown_model_calls(agent_spans: Sequence[Mapping[str, Any]], tree: SpanTree) -> set[Key]:
    """Return the spans that stand for one model call each, of AGENT_SPANS rows.

    The innermost that says what it spent; where none does, the innermost. Calls made inside a tool call are calls of
    their own. The same choice as that of AGENT_RUNS, and spans without figures that only their name calls so.
    """
    operations = {(span["trace_id"], span["span_id"]): span["operation"] for span in agent_spans}
    calls = {key for key, operation in operations.items() if operation in MODEL_CALLS}
    spending = {
        (span["trace_id"], span["span_id"])
        for span in agent_spans
        if span["operation"] in MODEL_CALLS and any(span[name] is not None for name in _SPENT)
    }
    parents = {node.key: (node.trace_id, node.parent_span_id) for node in tree.nodes.values()}
    return innermost_calls(spending, calls - spending, parents, operations)


def shown_tool_calls(agent_spans: Sequence[Mapping[str, Any]], tree: SpanTree, runs: Container[Key]) -> set[Key]:
    """Return the outermost spans of tool calls, of AGENT_SPANS rows; a call made in an agent's run is its own."""
    tools = {
        (span["trace_id"], span["span_id"]): span["tool_name"]
        for span in agent_spans
        if span["operation"] == "execute_tool"
    }
    return tools.keys() - told_above(tools, tree.above, runs).keys()
