"""Deciding which agent run answers which trigger: every run is claimed once, what nobody answers stays an attempt."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

from collector.processors.agent_transfers.activations import NO_ACTIVATION, Activation
from collector.processors.agent_transfers.group import CLOCK_SKEW_NANO, TOLERANCE_NANO, Group
from collector.processors.agent_transfers.names import normal, same_agent, stem
from collector.processors.agent_transfers.rules.trigger import GRAPH_EDGE, Trigger
from collector.processors.agent_transfers.tree import ROOT

_LOOK_BACK = 64
"""How many triggers or runs are looked at around one; keeps crowded groups linear."""


@dataclass(slots=True)
class Claims:
    """Which trigger each run answers, and which triggers stayed without a run."""

    group: Group
    by_run: dict[int, Trigger] = field(default_factory=dict)
    open: list[Trigger] = field(default_factory=list)
    evident: list[Trigger] = field(default_factory=list)

    def claim(self, run: int, trigger: Trigger) -> None:
        """Let a run answer a trigger."""
        self.by_run[run] = trigger


def settle(group: Group, triggers: Iterable[Trigger]) -> Claims:
    """Match triggers with runs.

    In order: the run that is the span or runs below it; the run called like the target, each taking the latest
    trigger before it, or by another service's clock in the middle of the run; for triggers without a target the
    next run beside the source. Deterministic in the set of triggers.
    """
    ordered = sorted(triggers, key=lambda t: (t.time, t.index, t.rule, t.target))
    claims = Claims(group)
    rest = _claim_inside(claims, ordered)
    rest = _claim_named(claims, rest)
    rest = _claim_early(claims, rest)
    rest = _claim_next(claims, rest)
    _sort_out(claims, rest)
    return claims


def _claim_inside(claims: Claims, triggers: list[Trigger]) -> list[Trigger]:
    group = claims.group
    by_index: dict[int, Trigger] = {}
    used: set[int] = set()
    for number, trigger in enumerate(triggers):
        if trigger.target_run != NO_ACTIVATION:
            used.add(number)
            if trigger.target_run not in claims.by_run:
                claims.claim(trigger.target_run, trigger)
        elif not group.is_run(trigger.index):
            by_index.setdefault(trigger.index, trigger)
    taken: set[Trigger] = set()
    for run in group.activations.real:
        above = by_index.get(_trigger_above(group, run, by_index))
        if above is None or above in taken or run.number in claims.by_run or same_agent(above.source, run.name):
            continue
        claims.claim(run.number, above)
        taken.add(above)
    return [t for number, t in enumerate(triggers) if number not in used and t not in taken]


def _trigger_above(group: Group, run: Activation, by_index: dict[int, Trigger]) -> int:
    """Return the trigger span a run is directly below: no other run in between. Bounded by the depth looked at."""
    for steps, above in enumerate(group.forest.ancestors(run.top)):
        if above in by_index:
            return above
        around = group.activations.around(above)
        if steps >= _LOOK_BACK or (around is not None and above in around.members):
            break
    return ROOT


def _claim_named(claims: Claims, triggers: list[Trigger]) -> list[Trigger]:
    waiting: dict[str, list[Trigger]] = {}
    for trigger in triggers:
        if trigger.target:
            waiting.setdefault(normal(trigger.target), []).append(trigger)
    times = {form: [trigger.time for trigger in several] for form, several in waiting.items()}
    forms_by_stem: dict[str, set[str]] = {}
    for form in waiting:
        forms_by_stem.setdefault(stem(form), set()).add(form)
    taken: set[Trigger] = set()
    for run in claims.group.activations.real:
        if run.number in claims.by_run:
            continue
        forms = (run.aliases | run.reached_by) & waiting.keys() or forms_by_stem.get(stem(run.name), set())
        best = max(
            (found for form in forms if (found := _latest(claims.group, run, waiting[form], times[form], taken))),
            key=lambda t: (t.time, t.confidence, t.index),
            default=None,
        )
        if best is not None:
            claims.claim(run.number, best)
            taken.add(best)
    return [trigger for trigger in triggers if trigger not in taken]


def _latest(
    group: Group, run: Activation, several: list[Trigger], times: list[int], taken: set[Trigger]
) -> Trigger | None:
    """Return the latest free trigger before a run, or a surer one in which the same run asked for the same before."""
    component = group.component_of(run.top)
    at = bisect_right(times, run.start + TOLERANCE_NANO)
    best: Trigger | None = None
    for position in range(at - 1, max(-1, at - 1 - _LOOK_BACK), -1):
        trigger = several[position]
        if trigger in taken or group.component_of(trigger.index) != component or same_agent(trigger.source, run.name):
            continue
        if trigger.runs_here and run.start > trigger.end + TOLERANCE_NANO:
            continue
        if best is None:
            best = trigger
        elif _told_surer(trigger, best):
            return trigger
    return best


def _claim_early(claims: Claims, triggers: list[Trigger]) -> list[Trigger]:
    """Match triggers with runs of other services whose clock is behind: they seem to run already when asked for."""
    group = claims.group
    spans = group.forest.spans
    waiting: dict[str, list[Activation]] = {}
    for run in group.activations.real:
        if run.number not in claims.by_run:
            for form in run.aliases:
                waiting.setdefault(form, []).append(run)
    starts = {form: [run.start for run in several] for form, several in waiting.items()}
    rest = []
    for trigger in triggers:
        form = normal(trigger.target)
        at = bisect_right(starts.get(form, []), trigger.time)
        early = (
            run
            for run in reversed(waiting.get(form, [])[max(0, at - _LOOK_BACK) : at])
            if run.number not in claims.by_run
            and trigger.time - CLOCK_SKEW_NANO <= run.start
            and trigger.time <= run.end
            and spans[run.top].service_name != spans[trigger.index].service_name
            and _beside(group, trigger, run)
        )
        if trigger.target and (found := next(early, None)) is not None:
            claims.claim(found.number, trigger)
        else:
            rest.append(trigger)
    return rest


def _told_surer(earlier: Trigger, later: Trigger) -> bool:
    """Tell whether a jump of a graph only carries out what a tool call of the same run had asked for."""
    one_run = earlier.source_run == later.source_run != NO_ACTIVATION
    return one_run and later.kind == GRAPH_EDGE != earlier.kind and earlier.confidence > later.confidence


def _claim_next(claims: Claims, triggers: list[Trigger]) -> list[Trigger]:
    runs = claims.group.activations.real
    starts = [run.start for run in runs]
    rest = []
    for trigger in triggers:
        if trigger.target:
            rest.append(trigger)
            continue
        at = bisect_left(starts, trigger.time)
        beside = [run for run in runs[at : at + _LOOK_BACK] if _beside(claims.group, trigger, run)]
        lineage = claims.group.lineage(trigger.index)
        following = min(
            beside, key=lambda run: (claims.group.distance(lineage, run.top), run.start, run.top), default=None
        )
        if following is not None and following.number not in claims.by_run:
            claims.claim(following.number, trigger)
        else:
            rest.append(trigger)
    return rest


def _beside(group: Group, trigger: Trigger, run: Activation) -> bool:
    """Tell whether a run can be the unnamed target: another agent beside the source's run, or right inside it."""
    if same_agent(run.name, trigger.source) or group.component_of(run.top) != group.component_of(trigger.index):
        return False
    source = group.activations.by_number.get(trigger.source_run)
    return source is None or run.parent in {source.number, source.parent}


def _sort_out(claims: Claims, rest: list[Trigger]) -> None:
    """Drop what only repeats an answered trigger; keep attempts, once for each source run and target."""
    index = _Index.of(claims)
    seen: set[tuple[object, ...]] = set()
    for trigger in rest:
        key = (
            trigger.source_run,
            normal(trigger.source),
            normal(trigger.target),
            trigger.index if trigger.runs_here else ROOT,
        )
        if key in seen or index.repeats(claims, trigger):
            continue
        seen.add(key)
        if index.is_evident(claims, trigger):
            claims.evident.append(trigger)
        elif not any(_same_request(trigger, other) for other in claims.evident[-_LOOK_BACK:]):
            claims.open.append(trigger)


@dataclass(frozen=True, slots=True)
class _Index:
    """Runs by name and answered triggers by source, to look triggers up in."""

    runs: dict[str, list[Activation]]
    starts: dict[str, list[int]]
    answered_until: dict[int, int]
    components: frozenset[bytes]

    @classmethod
    def of(cls, claims: Claims) -> _Index:
        runs: dict[str, list[Activation]] = {}
        for run in claims.group.activations.real:
            for form in run.aliases | {stem(run.name)}:
                runs.setdefault(form, []).append(run)
        answered: dict[int, int] = {}
        for trigger in claims.by_run.values():
            if trigger.source_run != NO_ACTIVATION:
                answered[trigger.source_run] = max(answered.get(trigger.source_run, trigger.time), trigger.time)
        starts = {form: [run.start for run in several] for form, several in runs.items()}
        components = frozenset(claims.group.component_of(run.top) for run in claims.group.activations.real)
        return cls(runs, starts, answered, components)

    def repeats(self, claims: Claims, trigger: Trigger) -> bool:
        """Tell whether the first run the trigger could mean already answers another trigger of the same source."""
        earliest = trigger.time - TOLERANCE_NANO
        if not trigger.target:
            return self.answered_until.get(trigger.source_run, earliest - 1) >= earliest
        form = normal(trigger.target) if normal(trigger.target) in self.runs else stem(trigger.target)
        candidates = self.runs.get(form, [])
        at = bisect_left(self.starts.get(form, []), earliest)
        component = claims.group.component_of(trigger.index)
        for run in candidates[at : at + _LOOK_BACK]:
            if claims.group.component_of(run.top) == component:
                answered = claims.by_run.get(run.number)
                return answered is not None and same_agent(answered.source, trigger.source)
        return False

    def is_evident(self, claims: Claims, trigger: Trigger) -> bool:
        """Tell whether a transfer counts as done although no span shows the target running.

        A tool that runs the target itself does, unless it failed. So does any trigger where no agent run is visible
        at all.
        """
        if trigger.failed or not trigger.target or not trigger.source:
            return False
        return trigger.runs_here or claims.group.component_of(trigger.index) not in self.components


def answer_evident(claims: Claims) -> list[tuple[Activation, Trigger]]:
    """Return delegations that only queued the task, each with the first run of its target after the call.

    A run inside a tool call is that call's, and a call with model calls right below it was the delegation itself.
    """
    group = claims.group
    waiting: dict[str, list[Activation]] = {}
    for run in group.activations.real:
        if run.number not in claims.by_run and group.tool_above(run.top) == ROOT:
            for form in run.aliases:
                waiting.setdefault(form, []).append(run)
    starts = {form: [run.start for run in several] for form, several in waiting.items()}
    found: dict[int, tuple[Activation, Trigger]] = {}
    for trigger in claims.evident:
        form = normal(trigger.target)
        if form not in waiting or any(group.facts[below].is_llm for below in group.forest.children[trigger.index]):
            continue
        at = bisect_left(starts[form], trigger.end)
        for run in waiting[form][at : at + _LOOK_BACK]:
            if run.number not in found and _beside(group, trigger, run):
                found[run.number] = run, trigger
                break
    return list(found.values())


def _same_request(left: Trigger, right: Trigger) -> bool:
    return left.source_run == right.source_run and same_agent(left.target, right.target)
