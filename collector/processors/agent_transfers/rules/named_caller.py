"""An agent run that names the agent that called it."""

from __future__ import annotations

from collector.processors.agent_transfers.group import Group
from collector.processors.agent_transfers.names import clean, same_agent
from collector.processors.agent_transfers.rules.keys import has_role_key, roles
from collector.processors.agent_transfers.rules.trigger import DELEGATION, HANDOFF, Trigger, at_span
from collector.processors.agent_transfers.values import first_text, text

RULE = "named_caller"

_CALLER_KEYS = (
    "gen_ai.caller.agent.name", "microsoft.a365.caller.agent.name", "gen_ai.agent.parent.name",
    "gen_ai.agent.caller.name",
    "agent.caller", "agent.parent_name", "parent_agent", "parent_agent_name", "agent.parent",
    "gen_ai.agent.parent_name", "caller_agent", "invoked_by_agent",
)  # fmt: skip


def find(group: Group, index: int) -> Trigger | None:
    """Find the caller a run names; the run itself is the target."""
    run = group.activations.around(index)
    if run is None or not group.is_run(index):
        return None
    attributes = group.forest.spans[index].attributes
    caller = clean(first_text(attributes, _CALLER_KEYS))
    if not caller and text(attributes.get("gen_ai.caller.type")).lower() == "agent":
        caller = clean(text(attributes.get("gen_ai.caller.name")))
    handed_over = False
    if not caller and has_role_key(attributes) and (named := roles(attributes)) and _is_target(named.target, run.name):
        caller, handed_over = named.source, named.moving
    if not caller or same_agent(caller, run.name):
        return None
    return at_span(
        group, index, RULE, HANDOFF if handed_over else DELEGATION, run.name, 0.85, source=caller,
        waits=not handed_over,
        target_run=run.number,
    )  # fmt: skip


def _is_target(target: str, run: str) -> bool:
    return not target or same_agent(target, run)
