"""Agent runs whose span names no agent: another span of the same agent id, or what runs them, does."""

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
    """Return the unnamed agent runs that get a name from another span, by span position."""
    found: dict[int, Run] = {}
    by_id = _names_by_id(facts)
    for index, span in enumerate(forest.spans):
        above = forest.parent[index]
        fields = facts[index].fields
        if fields.operation == "invoke_agent" and not facts[index].owner and fields.agent_id in by_id:
            found[index] = Run(by_id[fields.agent_id], Strength.STRONG)
            continue
        if span.name not in _UNNAMED_RUNS or facts[index].owner or above == ROOT:
            continue
        outer = forest.spans[above]
        name = clean(first_text(outer.attributes, _COMPONENT_KEYS) or facts[above].fields.tool_name)
        if name:
            found[index] = Run(name, Strength.WEAK)
    return found


def _names_by_id(facts: tuple[Facts, ...]) -> dict[str, str]:
    """Return the names of the agent ids that go with one name only; `create_agent` often tells it once for all runs."""
    names: dict[str, set[str]] = {}
    for known in facts:
        if known.owner and known.fields.agent_id:
            names.setdefault(known.fields.agent_id, set()).add(known.owner)
    return {agent_id: next(iter(several)) for agent_id, several in names.items() if len(several) == 1}
