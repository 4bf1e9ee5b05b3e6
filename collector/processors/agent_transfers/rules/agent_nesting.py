"""An agent's run inside another agent's run: a delegation, or an agent used as a tool if a tool call is between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from collector.processors.agent_transfers.activations import Activation
from collector.processors.agent_transfers.claims import Claims
from collector.processors.agent_transfers.group import CLOCK_SKEW_NANO, TOLERANCE_NANO, Group
from collector.processors.agent_transfers.identity.facts import Strength
from collector.processors.agent_transfers.names import normal
from collector.processors.agent_transfers.rules.arguments import task
from collector.processors.agent_transfers.rules.trigger import AGENT_AS_TOOL, DELEGATION, Trigger, at_span
from collector.processors.agent_transfers.tree import ROOT

RULE = "agent_nesting"


def find(claims: Claims) -> Iterator[tuple[Activation, Trigger]]:
    """Yield the unclaimed runs inside other runs; several runs of one agent in one tool call are one transfer."""
    group = claims.group
    seen: set[tuple[object, ...]] = set()
    last: dict[int, str] = {}
    for run in group.activations.real:
        parent = group.activations.parent_of(run)
        if parent is None:
            continue
        if _started_too_late(group, run, parent):
            continue
        tool = group.tool_above(run.top)
        again = run.strength == Strength.STEP and last.get(parent.number) == normal(run.name)
        last[parent.number] = normal(run.name)
        key = (tool, normal(run.name)) if tool != ROOT else (run.number,)
        if run.number in claims.by_run or again or key in seen:
            seen.add(key)
            continue
        seen.add(key)
        sure = Strength.STRONG == run.strength == parent.strength
        index = tool if tool != ROOT else parent.top
        kind = AGENT_AS_TOOL if tool != ROOT else DELEGATION
        trigger = at_span(
            group, index, RULE, kind, run.name, 0.9 if sure else 0.75, source=parent.name, waits=True, runs_here=True,
            target_run=run.number, reason=task(group.forest.spans[tool]) if tool != ROOT else "",
        )  # fmt: skip
        yield run, trigger if tool != ROOT else replace(trigger, time=run.start)


def _started_too_late(group: Group, run: Activation, parent: Activation) -> bool:
    """A run below one that had already ended got there by a context that leaked. Between services clocks may differ."""
    spans = group.forest.spans
    one_clock = spans[run.top].service_name == spans[parent.top].service_name
    return run.start > parent.end + (TOLERANCE_NANO if one_clock else CLOCK_SKEW_NANO)
