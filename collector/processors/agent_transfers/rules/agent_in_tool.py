"""An agent that runs while another agent's tool call is open, in instrumentations that do not nest the spans.

Containment in time alone is weak, so the run has to fill most of the tool call, and spans must not show another run
in it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from collector.processors.agent_transfers.activations import NO_ACTIVATION, Activation
from collector.processors.agent_transfers.claims import Claims
from collector.processors.agent_transfers.group import TOLERANCE_NANO, Group
from collector.processors.agent_transfers.names import same_agent
from collector.processors.agent_transfers.rules.arguments import task
from collector.processors.agent_transfers.rules.trigger import AGENT_AS_TOOL, Trigger, at_span
from collector.processors.agent_transfers.tree import ROOT

RULE = "agent_in_tool"

_FILLED_SHARE = 0.5
_LOOK_BACK = 64


def find(claims: Claims) -> Iterator[tuple[Activation, Trigger]]:
    """Yield the runs that happen inside another agent's tool call, with the call as their trigger."""
    group = claims.group
    runs = [run for run in group.activations.real if run.parent == NO_ACTIVATION]
    above = {run.number: group.tool_above(run.top) for run in runs}
    explained = {group.tool_above(run.top) for run in group.activations.real}
    tools = _tools_by_trace(group, explained)
    for run in runs:
        if run.number in claims.by_run:
            continue
        tool = above[run.number] if above[run.number] != ROOT else _open_tool(group, run, tools)
        if tool == ROOT:
            continue
        owner, _ = group.owner(tool)
        if owner and not same_agent(owner, run.name):
            yield (
                run,
                at_span(
                    group,
                    tool,
                    RULE,
                    AGENT_AS_TOOL,
                    run.name,
                    0.75,
                    waits=True,
                    runs_here=True,
                    target_run=run.number,
                    reason=task(group.forest.spans[tool]),
                ),
            )


def _tools_by_trace(group: Group, explained: set[int]) -> dict[bytes, tuple[list[int], list[int]]]:
    tools: dict[bytes, tuple[list[int], list[int]]] = {}
    for index, span in enumerate(group.forest.spans):
        if group.facts[index].is_tool and group.call[index] == index and index not in explained:
            starts, positions = tools.setdefault(span.trace_id, ([], []))
            starts.append(span.start_time_unix_nano)
            positions.append(index)
    return tools


def _open_tool(group: Group, run: Activation, tools: dict[bytes, tuple[list[int], list[int]]]) -> int:
    """Return the tool call that is open during all of a run: of several the closest relative, then the latest."""
    if _beside_others(group, run):
        return ROOT
    starts, positions = tools.get(group.forest.spans[run.top].trace_id, ([], []))
    at = bisect_right(starts, run.start + TOLERANCE_NANO)
    open_ones = [index for index in positions[max(0, at - _LOOK_BACK) : at] if _holds(group, index, run)]
    lineage = group.lineage(run.top)
    return min(open_ones, key=lambda index: (group.distance(lineage, index), -index), default=ROOT)


def _holds(group: Group, index: int, run: Activation) -> bool:
    span = group.forest.spans[index]
    fills = run.end - run.start >= _FILLED_SHARE * (span.end_time_unix_nano - span.start_time_unix_nano)
    ends_later = span.end_time_unix_nano + TOLERANCE_NANO >= run.end
    return fills and ends_later and not same_agent(group.owner(index)[0], run.name)


def _beside_others(group: Group, run: Activation) -> bool:
    """A run below an agent that only runs others belongs to that one, however the times fall."""
    return not group.activations.wrappers.isdisjoint(group.lineage(run.top))
