"""Workflow engines that send messages between executors: one addressed to an agent's executor hands over to it.

Broadcasts have no destination and are not transfers.
"""

from __future__ import annotations

from collector.processors.agent_transfers.group import Group
from collector.processors.agent_transfers.names import clean, same_agent
from collector.processors.agent_transfers.rules.trigger import HANDOFF, Trigger, at_span
from collector.processors.agent_transfers.values import first_text, text

RULE = "executor_message"

_DESTINATION_KEYS = ("message.destination_executor_id", "message.destination_agent_id", "message.target_executor_id")


def find(group: Group, index: int) -> Trigger | None:
    """Find a message with a destination below the executor that sends it."""
    span = group.forest.spans[index]
    target = clean(first_text(span.attributes, _DESTINATION_KEYS))
    if not target:
        return None
    sender = next((name for above in group.forest.ancestors(index) if (name := _executor(group, above))), "")
    source = group.known(sender)
    if not source or same_agent(source, target):
        return None
    return at_span(group, index, RULE, HANDOFF, target, 0.9, source=source)


def _executor(group: Group, index: int) -> str:
    return clean(text(group.forest.spans[index].attributes.get("executor.id")))
