"""An agent's run whose trace, or message handler, links back into another agent's run: work sent as a message."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from collector.processors.agent_transfers.activations import NO_ACTIVATION, Activation
from collector.processors.agent_transfers.claims import Claims
from collector.processors.agent_transfers.group import MAX_LINEAGE, Group
from collector.processors.agent_transfers.names import same_agent
from collector.processors.agent_transfers.rules.arguments import task
from collector.processors.agent_transfers.rules.trigger import DELEGATION, HANDOFF, Trigger, at_span
from collector.processors.agent_transfers.tree import ROOT

RULE = "agent_link"

_MAX_LINKS = 8


def find(claims: Claims) -> Iterator[tuple[Activation, Trigger]]:
    """Yield the unclaimed outermost runs that were caused by a span of another agent's run, as span links say."""
    group = claims.group
    for run in group.activations.real:
        if run.number in claims.by_run or run.parent != NO_ACTIVATION:
            continue
        index = _cause(group, run)
        sender = group.activations.around(index) if index != ROOT else None
        if sender is not None:
            waits = sender.end > run.end
            kind = DELEGATION if waits else HANDOFF
            yield (
                run,
                at_span(
                    group,
                    index,
                    RULE,
                    kind,
                    run.name,
                    0.75,
                    waits=waits,
                    target_run=run.number,
                    reason=_said(group, index),
                ),
            )


def _said(group: Group, index: int) -> str:
    """Return what the tool call said that sent the message, if one did."""
    tool = group.call[index] if group.facts[index].is_tool else group.tool_above(index)
    return task(group.forest.spans[tool]) if tool != ROOT else ""


def _cause(group: Group, run: Activation) -> int:
    """Return the linked span that lies in another agent's run, from the run upwards; ROOT if there is none."""
    for index in islice((run.top, *group.lineage(run.top)), MAX_LINEAGE):
        for link in group.forest.spans[index].links[:_MAX_LINKS]:
            found = group.forest.position.get((link.trace_id, link.span_id), ROOT)
            sender = group.activations.around(found) if found != ROOT else None
            if sender is not None and not same_agent(sender.name, run.name):
                return found
    return ROOT
