"""Runs in traces of their own that belong together: joined by span links, or one conversation carried on at once."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from collector.processors.agent_transfers.activations import NO_ACTIVATION, Activation
from collector.processors.agent_transfers.blocks import make_waves, run_block, wave_edges
from collector.processors.agent_transfers.claims import Claims
from collector.processors.agent_transfers.group import Group
from collector.processors.agent_transfers.grouping import follows, is_unique_id
from collector.processors.agent_transfers.names import same_agent
from collector.processors.agent_transfers.rules.agent_sequence import follow
from collector.processors.agent_transfers.rules.trigger import SEQUENCE, Trigger

RULE = "conversation_sequence"


def find(claims: Claims) -> Iterator[tuple[Activation, Trigger]]:
    """Yield the first runs of traces that follow another trace's last run."""
    traces = _outermost_by_trace(claims.group)
    yield from _linked(claims, traces)
    yield from _in_conversation(claims, traces)


def answer_open(claims: Claims) -> Iterator[tuple[Activation, Trigger]]:
    """Yield handoffs whose target opened the next trace of the same conversation."""
    by_conversation: dict[str, list[Activation]] = {}
    for runs in _outermost_by_trace(claims.group).values():
        if is_unique_id(runs[0].conversation) and runs[0].number not in claims.by_run:
            by_conversation.setdefault(runs[0].conversation, []).append(runs[0])
    for trigger in claims.open:
        conversation = _conversation_of(claims.group, trigger)
        for run in by_conversation.get(conversation, [])[:64]:
            named = not trigger.target or same_agent(run.name, trigger.target)
            if (
                named
                and run.start >= trigger.time
                and follows(trigger.end, trigger.time, run.start)
                and not same_agent(run.name, trigger.source)
            ):
                yield run, trigger
                break


def _conversation_of(group: Group, trigger: Trigger) -> str:
    source = group.activations.by_number.get(trigger.source_run)
    return group.facts[trigger.index].fields.conversation_id or (source.conversation if source else "")


def _outermost_by_trace(group: Group) -> dict[bytes, list[Activation]]:
    traces: dict[bytes, list[Activation]] = {}
    for run in group.activations.real:
        if run.parent == NO_ACTIVATION:
            traces.setdefault(group.forest.spans[run.top].trace_id, []).append(run)
    return traces


def _linked(claims: Claims, traces: dict[bytes, list[Activation]]) -> Iterator[tuple[Activation, Trigger]]:
    components: dict[bytes, list[Activation]] = {}
    several: dict[bytes, set[bytes]] = {}
    for trace_id, runs in traces.items():
        component = claims.group.component[trace_id]
        components.setdefault(component, []).extend(runs)
        several.setdefault(component, set()).add(trace_id)
    for component in sorted(components):
        if len(several[component]) < 2:
            continue
        waves = make_waves([run_block(claims.group, run) for run in components[component]])
        for before, after in wave_edges(waves):
            if _can_follow(claims, before, after) and _of_one_scope(claims.group, before, after):
                yield after, follow(claims, before, after, RULE, SEQUENCE, 0.5)


def _in_conversation(claims: Claims, traces: dict[bytes, list[Activation]]) -> Iterator[tuple[Activation, Trigger]]:
    conversations: dict[str, list[list[Activation]]] = {}
    for runs in traces.values():
        if is_unique_id(runs[0].conversation):
            conversations.setdefault(runs[0].conversation, []).append(runs)
    for conversation in sorted(conversations):
        ordered = sorted(conversations[conversation], key=lambda runs: (runs[0].start, runs[0].top))
        for earlier, later in itertools.pairwise(ordered):
            before, after = max(earlier, key=lambda run: (run.end, run.top)), later[0]
            apart = claims.group.component_of(before.top) != claims.group.component_of(after.top)
            next_turn = same_agent(earlier[0].name, after.name)
            directly = after.start >= before.end and follows(before.end, before.start, after.start)
            together = before.conversation == after.conversation and _can_follow(claims, before, after)
            if apart and directly and together and not next_turn:
                yield after, follow(claims, before, after, RULE, SEQUENCE, 0.4)


def _can_follow(claims: Claims, before: Activation, after: Activation) -> bool:
    apart = claims.group.forest.spans[before.top].trace_id != claims.group.forest.spans[after.top].trace_id
    return apart and after.number not in claims.by_run and not same_agent(before.name, after.name)


def _of_one_scope(group: Group, before: Activation, after: Activation) -> bool:
    return group.forest.spans[before.top].scope_name == group.forest.spans[after.top].scope_name
