"""A handoff recorded as a span event on the run that hands over."""

from __future__ import annotations

import re
from dataclasses import replace

from collector.processors.agent_transfers.group import Group
from collector.processors.agent_transfers.names import same_agent
from collector.processors.agent_transfers.rules.keys import roles
from collector.processors.agent_transfers.rules.trigger import DELEGATION, HANDOFF, Trigger, at_span

RULE = "handoff_event"

_NAME = re.compile(
    r"hand-?_?off|hand-?over|agent[._ -]?transfer|delegat|transfer[._ -](?:to[._ -])?agent", re.IGNORECASE
)


def find(group: Group, index: int) -> list[Trigger]:
    """Find the handoff events of one span; each needs a target."""
    found = []
    for event in group.forest.spans[index].events:
        named = roles(event.attributes) if _NAME.search(event.name) else None
        if named is None or not named.target or same_agent(named.source, named.target):
            continue
        kind = DELEGATION if "delegat" in event.name.lower() else HANDOFF
        trigger = at_span(
            group, index, RULE, kind, named.target, 0.9, source=named.source, waits=kind == DELEGATION,
            reason=named.reason, source_id=named.source_id, target_id=named.target_id,
        )  # fmt: skip
        found.append(_at_time(trigger, event.time_unix_nano))
    return found


def _at_time(trigger: Trigger, time: int) -> Trigger:
    return replace(trigger, time=time or trigger.time, end=max(trigger.end, time))
