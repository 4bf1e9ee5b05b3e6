"""One group of traces, prepared for the rules: forest, facts, activations, and which traces belong together."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from collector.processors.agent_transfers.activations import Activation, Activations, find_activations
from collector.processors.agent_transfers.grouping import link_components
from collector.processors.agent_transfers.identity import langgraph
from collector.processors.agent_transfers.identity.facts import Facts, all_facts
from collector.processors.agent_transfers.identity.resolve import agent_runs
from collector.processors.agent_transfers.model import Span
from collector.processors.agent_transfers.names import normal, stem
from collector.processors.agent_transfers.tool_calls import told_above
from collector.processors.agent_transfers.tree import ROOT, Forest, build_forest

MAX_LINEAGE = 64
"""How far up relations between spans are looked for."""

TOLERANCE_NANO = 2_000_000
"""Clocks and rounding: how far a span may start before the one that caused it ended."""

CLOCK_SKEW_NANO = 5_000_000_000
"""How far the clocks of two services may differ."""


@dataclass(frozen=True, slots=True)
class Group:
    """Everything the rules may read. Positions are positions in `forest.spans`."""

    forest: Forest
    facts: tuple[Facts, ...]
    activations: Activations
    component: dict[bytes, bytes]
    display: dict[str, str]
    stems: dict[str, str]
    ended: dict[bytes, tuple[tuple[int, ...], tuple[Activation, ...]]]
    call: tuple[int, ...]
    """For every span the outermost one that tells of the same tool call; itself if it is the only one, or no tool."""
    calls_above: tuple[int, ...]

    def component_of(self, index: int) -> bytes:
        """Return the link-joined component a span's trace is in."""
        return self.component[self.forest.spans[index].trace_id]

    def known(self, name: str) -> str:
        """Return the spelling the agent runs use for a name, or an empty text if no agent of the group is called so."""
        return self.display.get(normal(name)) or self.stems.get(stem(name), "")

    def is_run(self, index: int) -> bool:
        """Tell whether a span is itself (part of) an agent run."""
        around = self.activations.around(index)
        return around is not None and index in around.members

    def owner(self, index: int) -> tuple[str, Activation | None]:
        """Return the agent a span works for: the run around it, what the span says, or the last run before it."""
        around = self.activations.around(index)
        named = self.facts[index].owner
        if around is not None:
            return around.name, around
        span = self.forest.spans[index]
        if not named and langgraph.is_langgraph(span.attributes):
            named = langgraph.agent_of(span.attributes)
        if named:
            return self.known(named) or named, None
        before = self._last_before(span) if not self._below_agent_kind(index) else None
        return (before.name, before) if before else ("", None)

    def _last_before(self, span: Span) -> Activation | None:
        ends, activations = self.ended.get(span.trace_id, ((), ()))
        at = bisect_right(ends, span.start_time_unix_nano + TOLERANCE_NANO)
        return activations[at - 1] if at else None

    def _below_agent_kind(self, index: int) -> bool:
        """An agent run without a usable name around a span: then the run before it is not its owner."""
        return any(self.facts[above].fields.operation == "invoke_agent" for above in self._above(index))

    def conversation_of(self, index: int) -> str:
        """Return the conversation a span or, failing that, the nearest span above it names."""
        lineage = (index, *self._above(index))
        return next((found for at in lineage if (found := self.facts[at].fields.conversation_id)), "")

    def user_of(self, index: int) -> str:
        """Return the user a span or, failing that, the nearest span above it names."""
        lineage = (index, *self._above(index))
        return next((found for at in lineage if (found := self.facts[at].fields.user_id)), "")

    def lineage(self, index: int) -> dict[int, int]:
        """Return the spans from one up to its root, each with its distance; bounded."""
        return {above: steps for steps, above in enumerate(islice((index, *self._above(index)), MAX_LINEAGE))}

    def _above(self, index: int) -> Iterator[int]:
        return islice(self.forest.ancestors(index), MAX_LINEAGE)

    def distance(self, lineage: dict[int, int], index: int) -> int:
        """Return how far up a lineage the first span is that is also above `index`: the smaller, the closer related."""
        for above in (index, *self._above(index)):
            if above in lineage:
                return lineage[above]
        return MAX_LINEAGE

    def tool_above(self, index: int) -> int:
        """Return the tool call right above, up to the activation around; ROOT if there is none."""
        return self.calls_above[index]


def prepare(spans: Sequence[Span]) -> Group:
    """Prepare a group; the result does not depend on the order or the repetition of `spans`."""
    forest = build_forest([span for span in spans if span.attributes.get("logfire.span_type") != "pending_span"])
    facts = all_facts(forest.spans)
    activations = find_activations(forest, facts, agent_runs(forest, facts))
    display, stems = _spellings(activations)
    call = _tool_calls(forest, facts, activations)
    return Group(
        forest=forest,
        facts=facts,
        activations=activations,
        component=link_components(forest.spans),
        display=display,
        stems=stems,
        ended=_by_end(forest, activations),
        call=call,
        calls_above=_calls_above(forest, facts, activations.enclosing, call),
    )


def _tool_calls(forest: Forest, facts: tuple[Facts, ...], activations: Activations) -> tuple[int, ...]:
    runs = {member for activation in activations.real for member in activation.members}
    tools = {index: facts[index].fields.tool_name for index in forest.top_down if facts[index].is_tool}
    call = list(range(len(forest.spans)))
    for index, outer in told_above(tools, forest.ancestors, runs).items():  # outer ones come first
        call[index] = call[outer]
    return tuple(call)


def _calls_above(
    forest: Forest, facts: tuple[Facts, ...], enclosing: tuple[int, ...], call: tuple[int, ...]
) -> tuple[int, ...]:
    """Return for every span the tool call right above it, in the same activation as the span above; ROOT if none."""
    found = [ROOT] * len(forest.spans)
    for index in forest.top_down:
        above = forest.parent[index]
        further = forest.parent[above] if above != ROOT else ROOT
        if above != ROOT and facts[above].is_tool:
            found[index] = call[above]
        elif further != ROOT and (facts[further].is_tool or enclosing[further] == enclosing[above]):
            found[index] = found[above]
    return tuple(found)


def _spellings(activations: Activations) -> tuple[dict[str, str], dict[str, str]]:
    display: dict[str, str] = {}
    by_stem: dict[str, set[str]] = {}
    for activation in activations.real:
        for alias in sorted(activation.aliases):
            display.setdefault(alias, activation.name)
        display[normal(activation.name)] = activation.name
    for form, name in display.items():
        by_stem.setdefault(stem(form), set()).add(name)
    return display, {form: next(iter(names)) for form, names in by_stem.items() if len(names) == 1}


def _by_end(forest: Forest, activations: Activations) -> dict[bytes, tuple[tuple[int, ...], tuple[Activation, ...]]]:
    """List each trace's outermost activations by their end."""
    lists: dict[bytes, list[Activation]] = {}
    for activation in activations.real:
        if activations.parent_of(activation) is None:
            lists.setdefault(forest.spans[activation.top].trace_id, []).append(activation)
    result = {}
    for trace_id, outermost in lists.items():
        outermost.sort(key=lambda act: (act.end, act.start, act.top))
        result[trace_id] = (tuple(act.end for act in outermost), tuple(outermost))
    return result
