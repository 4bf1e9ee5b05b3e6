"""Tools that are agents, as their type says, when no span shows the agent itself running."""

from __future__ import annotations

from collector.processors.agent_transfers.group import Group
from collector.processors.agent_transfers.names import clean, normal, same_agent
from collector.processors.agent_transfers.rules.arguments import argument, refused, task
from collector.processors.agent_transfers.rules.trigger import AGENT_AS_TOOL, Trigger, at_span
from collector.processors.agent_transfers.values import first_text

RULE = "agent_tool"

_TYPE_KEYS = ("gen_ai.tool.type", "tool.type", "tool_type", "mastra.tool.type")
_AGENT_TYPES = frozenset(
    {"agent_tool", "agent", "sub_agent", "subagent", "agent_as_tool", "connected_agent", "managed_agent"}
)
_SPAWNING_TOOLS = frozenset(
    {"task", "spawn_agent", "run_subagent", "call_agent", "invoke_agent", "run_agent", "call_sub_agent"}
)
_TARGET_ARGUMENTS = ("subagent_type", "agent_name", "agent", "agentName", "subagent", "sub_agent", "agent_id")


def find(group: Group, index: int) -> Trigger | None:
    """Find a call of an agent as a tool."""
    span, facts = group.forest.spans[index], group.facts[index]
    if not facts.is_tool:
        return None
    tool = facts.fields.tool_name
    if normal(first_text(span.attributes, _TYPE_KEYS)) in _AGENT_TYPES:
        target = clean(tool)
    elif normal(tool) in _SPAWNING_TOOLS:
        target = clean(argument(span, _TARGET_ARGUMENTS))
    else:
        return None
    owner, _ = group.owner(index)
    said = task(span)
    if not target or not owner or same_agent(owner, target):
        return None
    return at_span(
        group, index, RULE, AGENT_AS_TOOL, target, 0.8, waits=True, runs_here=True,
        failed=refused(span), reason="" if same_agent(said, target) else said,
    )  # fmt: skip
