"""Workflow engines that send messages between executors: one addressed to an agent's executor hands over to it.

Broadcasts have no destination and are not transfers.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import islice

from collector.processors.agent_transfers.group import TOLERANCE_NANO, Group
from collector.processors.agent_transfers.names import clean, same_agent
from collector.processors.agent_transfers.rules.trigger import HANDOFF, Trigger, at_span
from collector.processors.agent_transfers.tree import ROOT
from collector.processors.agent_transfers.values import first_text, text

RULE = "executor_message"

_LOOK_BACK = 64
_DESTINATION_KEYS = ("message.destination_executor_id", "message.destination_agent_id", "message.target_executor_id")


def find(group: Group, index: int) -> Trigger | None:
    """Find a message with a destination below the executor that sends it."""
    span = group.forest.spans[index]
    target = clean(first_text(span.attributes, _DESTINATION_KEYS))
    if not target:
        return None
    sender = next((above for above in group.lineage(index) if above != index and _executor(group, above)), ROOT)
    if sender == ROOT:
        return None
    source = group.known(_executor(group, sender)) or _decider(group, sender, span.start_time_unix_nano)
    if not source or same_agent(source, target):
        return None
    return at_span(group, index, RULE, HANDOFF, target, 0.9, source=source)


def _executor(group: Group, index: int) -> str:
    return clean(text(group.forest.spans[index].attributes.get("executor.id")))


def _decider(group: Group, executor: int, time: int) -> str:
    """Return the agent that an executor, which is none itself, last asked before it sent a message (Magentic)."""
    spans, children = group.forest.spans, group.forest.children[executor]
    started = bisect_right(children, time + TOLERANCE_NANO, key=lambda child: spans[child].start_time_unix_nano)
    before = (children[at] for at in range(started - 1, -1, -1))
    runs = (group.activations.around(child) for child in before if group.is_run(child))
    ended = (run.name for run in islice(runs, _LOOK_BACK) if run and run.end <= time + TOLERANCE_NANO)
    return next(ended, "")
