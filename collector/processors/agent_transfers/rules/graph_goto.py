"""LangGraph commands that jump to a node, recorded as a span of their own (often twice for one jump)."""

from __future__ import annotations

from collector.processors.agent_transfers.group import Group
from collector.processors.agent_transfers.names import clean, same_agent
from collector.processors.agent_transfers.rules.trigger import GRAPH_EDGE, Trigger, at_span
from collector.processors.agent_transfers.values import text

RULE = "graph_goto"


def find(group: Group, index: int) -> Trigger | None:
    """Find a jump. Its recorded source is an inner node, so the agent run around it is taken; without one, none."""
    target = clean(text(group.forest.spans[index].attributes.get("langgraph.command.goto_node")))
    around = group.activations.around(index)
    if not target or around is None or same_agent(around.name, target) or not group.known(target):
        return None
    return at_span(group, index, RULE, GRAPH_EDGE, target, 0.8)
