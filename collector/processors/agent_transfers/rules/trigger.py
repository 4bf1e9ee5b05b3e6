"""What a rule finds: somebody asked for a transfer. Whether and where the target then ran is decided afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from collector.processors.agent_transfers.activations import NO_ACTIVATION
from collector.processors.agent_transfers.group import Group

HANDOFF: Final = "handoff"
DELEGATION: Final = "delegation"
AGENT_AS_TOOL: Final = "agent_as_tool"
GRAPH_EDGE: Final = "graph_edge"
SEQUENCE: Final = "sequence"
RETURN: Final = "return"
MAX_REASON: Final = 500
"""Characters of a reason that are kept."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """A request for a transfer, seen at span position `index`.

    `target` is empty when the telemetry leaves it out. `source_run` is the number of the source's activation.
    `runs_here` means the target runs while this span is open; if no span shows that run, `failed` decides.
    """

    rule: str
    kind: str
    index: int
    time: int
    end: int
    source: str
    source_run: int
    target: str
    confidence: float
    waits: bool = False
    runs_here: bool = False
    failed: bool = False
    reason: str = ""
    source_id: str = ""
    target_id: str = ""
    target_run: int = NO_ACTIVATION
    """The target's activation when the span itself is that run."""


SpanRule = Callable[[Group, int], Trigger | None]


def at_span(
    group: Group,
    index: int,
    rule: str,
    kind: str,
    target: str,
    confidence: float,
    source: str = "",
    waits: bool = False,
    runs_here: bool = False,
    failed: bool = False,
    reason: str = "",
    source_id: str = "",
    target_id: str = "",
    target_run: int = NO_ACTIVATION,
) -> Trigger:
    """Build a trigger at a span; without a `source` the agent the span works for is the source."""
    span = group.forest.spans[index]
    owner, run = group.owner(index)
    source_name = (group.known(source) or source) if source else owner
    return Trigger(
        rule=rule,
        kind=kind,
        index=index,
        time=span.start_time_unix_nano,
        end=max(span.end_time_unix_nano, span.start_time_unix_nano),
        source=source_name,
        source_run=run.number if run else NO_ACTIVATION,
        target=target,
        confidence=confidence,
        waits=waits,
        runs_here=runs_here,
        failed=failed,
        reason=reason[:MAX_REASON],
        source_id=source_id or (run.agent_id if run and run.name == source_name else ""),
        target_id=target_id,
        target_run=target_run,
    )
