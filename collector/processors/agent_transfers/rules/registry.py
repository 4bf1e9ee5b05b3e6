"""Every rule by name, in order of precedence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from collector.processors.agent_transfers.group import Group
from collector.processors.agent_transfers.options import Options
from collector.processors.agent_transfers.rules import (
    agent_tool,
    executor_message,
    graph_goto,
    handoff_event,
    handoff_span,
    handoff_tool,
    named_caller,
)
from collector.processors.agent_transfers.rules.trigger import SpanRule, Trigger

SPAN_RULES: Final[tuple[tuple[str, SpanRule], ...]] = (
    (handoff_span.RULE, handoff_span.find),
    (handoff_tool.RULE, handoff_tool.find),
    (executor_message.RULE, executor_message.find),
    (graph_goto.RULE, graph_goto.find),
    (agent_tool.RULE, agent_tool.find),
    (named_caller.RULE, named_caller.find),
)
"""Asked for every span; the first that answers is its trigger."""

STRUCTURE_RULES: Final = ("agent_in_tool", "agent_link", "agent_nesting", "agent_sequence", "conversation_sequence")
LOG_RULES: Final = ("log_arrow", "log_transferring", "log_delegates", "log_structured")
RULE_NAMES: Final = (*(name for name, _ in SPAN_RULES), handoff_event.RULE, *STRUCTURE_RULES, *LOG_RULES)
"""Stable names, as shown in `Transfer.rule` and accepted in `Options.disabled_rules`."""


def triggers(group: Group, options: Options) -> Iterator[Trigger]:
    """Yield the triggers of all spans, one for each tool call however many spans tell of it."""
    active = [find for name, find in SPAN_RULES if name not in options.disabled_rules]
    asked: dict[int, Trigger] = {}
    for index in range(len(group.forest.spans)):
        found = next((trigger for find in active if (trigger := find(group, index)) is not None), None)
        if found is not None:
            call = group.call[index]
            asked[call] = _both(asked[call], found) if call in asked else found
    yield from asked.values()
    if handoff_event.RULE not in options.disabled_rules:
        for index, span in enumerate(group.forest.spans):
            if span.events:
                yield from handoff_event.find(group, index)


def _both(outer: Trigger, inner: Trigger) -> Trigger:
    """Return what two spans say of one call: the one that names the target; who failed, failed for the other, too."""
    telling = inner if inner.target and not outer.target else outer
    reason = telling.reason or outer.reason or inner.reason
    return replace(telling, reason=reason, failed=outer.failed or inner.failed)
