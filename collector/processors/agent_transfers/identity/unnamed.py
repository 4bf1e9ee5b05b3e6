"""Agent runs whose span names no agent: the component, tool or executor that runs them does."""

from __future__ import annotations

from collector.processors.agent_transfers.identity.facts import Facts, Run, Strength
from collector.processors.agent_transfers.names import clean
from collector.processors.agent_transfers.tree import ROOT, Forest
from collector.processors.agent_transfers.values import first_text

_COMPONENT_KEYS = (
    "haystack.component.name",
    "executor.id",
    "langgraph_node",
    "component.name",
    "node.name",
    "step.name",
)
_UNNAMED_RUNS = frozenset({"haystack.agent.run", "invoke_agent", "agent_run", "agent.run", "Agent.run", "agent run"})


def runs(forest: Forest, facts: tuple[Facts, ...]) -> dict[int, Run]:
    """Return the unnamed agent runs that get a name from the span above them, by span position."""
    found: dict[int, Run] = {}
    for index, span in enumerate(forest.spans):
        above = forest.parent[index]
        if span.name not in _UNNAMED_RUNS or facts[index].owner or above == ROOT:
            continue
        outer = forest.spans[above]
        name = clean(first_text(outer.attributes, _COMPONENT_KEYS) or facts[above].fields.tool_name)
        if name:
            found[index] = Run(name, Strength.WEAK)
    return found
