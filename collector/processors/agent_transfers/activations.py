"""Activations: the runs of agents in a group, with nested spans of one run merged and mere wrappers left out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from collector.processors.agent_transfers.identity.facts import Facts, Run, Strength
from collector.processors.agent_transfers.model import Span
from collector.processors.agent_transfers.names import normal, same_agent
from collector.processors.agent_transfers.tree import ROOT, Forest

NO_ACTIVATION = -1
_WRAPPED_SHARE = 0.9


@dataclass(slots=True)
class Activation:
    """One run of one agent. Positions point into the forest; `parent` is the activation around it."""

    number: int
    name: str
    strength: Strength
    top: int
    members: set[int]
    start: int
    end: int
    parent: int = NO_ACTIVATION
    has_own_model_call: bool = False
    has_own_work: bool = False
    is_wrapper: bool = False
    inner: list[int] = field(default_factory=list)
    aliases: set[str] = field(default_factory=set)
    reached_by: set[str] = field(default_factory=set)
    """Names of the agents around that only run others, this one first: a request for them is one for it."""
    conversation: str = ""
    agent_id: str = ""


@dataclass(frozen=True, slots=True)
class Activations:
    """All real activations ordered by start, and for every span position the real activation around it."""

    real: tuple[Activation, ...]
    wrappers: frozenset[int]
    enclosing: tuple[int, ...]
    by_number: dict[int, Activation]

    def around(self, index: int) -> Activation | None:
        """Return the innermost real activation a span is part of or below."""
        return self.by_number.get(self.enclosing[index])

    def parent_of(self, activation: Activation) -> Activation | None:
        """Return the innermost real activation around another."""
        return self.by_number.get(activation.parent)


def find_activations(forest: Forest, facts: tuple[Facts, ...], runs: dict[int, Run]) -> Activations:
    """Find the activations of a forest; linear in its spans."""
    candidates, nearest = _collect(forest, facts, runs)
    _mark_work(forest, facts, candidates, nearest)
    seen = {span.trace_id for span, known in zip(forest.spans, facts, strict=True) if known.is_llm}
    dropped = _drop(candidates, [forest.spans[activation.top].trace_id in seen for activation in candidates])
    kept = _reparent(candidates, dropped)
    enclosing = tuple(_kept_ancestor(number, candidates, dropped) for number in nearest)
    _pass_aliases(candidates, dropped, kept)
    wrappers = frozenset(
        member for number in dropped if candidates[number].is_wrapper for member in candidates[number].members
    )
    real = tuple(sorted(kept, key=lambda act: (act.start, -act.end, act.top)))
    return Activations(real=real, wrappers=wrappers, enclosing=enclosing, by_number={act.number: act for act in kept})


def _collect(forest: Forest, facts: tuple[Facts, ...], runs: dict[int, Run]) -> tuple[list[Activation], list[int]]:
    """Walk from the roots down: a run below a run of the same agent is the same activation."""
    candidates: list[Activation] = []
    nearest = [NO_ACTIVATION] * len(forest.spans)
    beside: dict[tuple[int, str], int] = {}
    for index in forest.top_down:
        above = forest.parent[index]
        around = nearest[above] if above != ROOT else NO_ACTIVATION
        run = runs.get(index) or _step(facts[index], candidates[around] if around >= 0 else None)
        if run is None:
            nearest[index] = around
        elif around >= 0 and same_agent(candidates[around].name, run.name):
            nearest[index] = around
            _join(candidates[around], index, forest.spans[index], facts[index], run)
        elif (twin := _twin(forest, candidates, beside.get((above, normal(run.name))), index, run)) is not None:
            nearest[index] = twin
            _join(candidates[twin], index, forest.spans[index], facts[index], run)
        else:
            nearest[index] = beside[above, normal(run.name)] = len(candidates)
            candidates.append(_open(len(candidates), index, forest.spans[index], facts[index], run, around))
    return candidates, nearest


def _twin(forest: Forest, candidates: list[Activation], before: int | None, index: int, run: Run) -> int | None:
    """Return the run right beside that this span records again: one of the two is a bare mark within the other's time.

    Traceloop marks a LangGraph agent's run by a span without children beside the node that runs it.
    """
    if before is None or forest.parent[index] == ROOT:
        return None
    other = candidates[before]
    if {run.strength, other.strength} != {Strength.NODE, Strength.STRONG}:
        return None
    mark, node = (index, other.top) if run.strength == Strength.STRONG else (other.top, index)
    inside, around = forest.spans[mark], forest.spans[node]
    starts_within = inside.start_time_unix_nano <= around.end_time_unix_nano
    ends_within = around.start_time_unix_nano <= inside.end_time_unix_nano
    return before if starts_within and ends_within and not forest.children[mark] else None


def _step(facts: Facts, around: Activation | None) -> Run | None:
    """A model call made for an agent that no span around it runs stands for a run of that agent."""
    if not facts.is_llm or not facts.owner or (around is not None and same_agent(around.name, facts.owner)):
        return None
    return Run(facts.owner, Strength.STEP)


def _open(number: int, index: int, span: Span, facts: Facts, run: Run, around: int) -> Activation:
    return Activation(
        number=number,
        name=run.name,
        strength=run.strength,
        top=index,
        members={index},
        start=span.start_time_unix_nano,
        end=max(span.end_time_unix_nano, span.start_time_unix_nano),
        parent=around,
        aliases={normal(run.name)},
        conversation=facts.fields.conversation_id,
        agent_id=facts.fields.agent_id,
    )


def _join(activation: Activation, index: int, span: Span, facts: Facts, run: Run) -> None:
    activation.members.add(index)
    if run.strength > activation.strength:  # the surer span knows how the agent is really spelt
        activation.strength, activation.name = run.strength, run.name
    activation.end = max(activation.end, span.end_time_unix_nano)
    activation.conversation = activation.conversation or facts.fields.conversation_id
    activation.agent_id = activation.agent_id or facts.fields.agent_id


def _mark_work(forest: Forest, facts: tuple[Facts, ...], candidates: list[Activation], nearest: list[int]) -> None:
    for index in range(len(forest.spans)):
        number = nearest[index]
        if number < 0:
            continue
        if facts[index].is_llm:
            candidates[number].has_own_model_call = candidates[number].has_own_work = True
        elif facts[index].is_tool:
            candidates[number].has_own_work = True
    for activation in candidates:
        if activation.parent >= 0:
            candidates[activation.parent].inner.append(activation.number)


def _drop(candidates: list[Activation], calls_seen: list[bool]) -> set[int]:
    """Choose the candidates that are no agents: wrappers around agents, and unsure ones that never called a model.

    Inner ones are judged first, because what is inside decides what is around. `calls_seen` tells for every candidate
    whether its trace shows model calls at all.
    """
    dropped: set[int] = set()
    works: set[int] = set()
    for activation in reversed(candidates):  # children come after their parents
        inside = [candidates[number] for number in _kept_inside(activation, candidates, dropped)]
        if activation.has_own_work or any(number in works for number in activation.inner):
            works.add(activation.number)
        if inside and not activation.has_own_work:
            activation.is_wrapper = _wraps(activation, inside, works)
        needed = activation.strength == Strength.NODE or (
            activation.strength == Strength.WEAK and calls_seen[activation.number]
        )
        if activation.is_wrapper or (needed and not activation.has_own_model_call):
            dropped.add(activation.number)
    return dropped


def _kept_inside(activation: Activation, candidates: list[Activation], dropped: set[int]) -> list[int]:
    """List the kept activations right below; through a dropped one, its own. Lists are passed up once each."""
    inside: list[int] = []
    for number in activation.inner:
        inside.extend(candidates[number].inner if number in dropped else (number,))
    activation.inner = inside
    return inside


def _wraps(activation: Activation, inside: list[Activation], works: set[int]) -> bool:
    if any(act.number in works for act in inside):
        return True
    # Nothing here shows model or tool calls at all, so only time can tell an agent from a wrapper.
    covered = sum(max(0, act.end - act.start) for act in inside)
    return activation.strength < Strength.STRONG or covered >= _WRAPPED_SHARE * (activation.end - activation.start)


def _reparent(candidates: list[Activation], dropped: set[int]) -> list[Activation]:
    kept = []
    for activation in candidates:  # parents first, so a parent's own parent is already a kept one
        if activation.parent in dropped:
            activation.parent = candidates[activation.parent].parent
        if activation.number not in dropped:
            kept.append(activation)
    return kept


def _kept_ancestor(number: int, candidates: list[Activation], dropped: set[int]) -> int:
    return candidates[number].parent if number in dropped else number


def _pass_aliases(candidates: list[Activation], dropped: set[int], kept: Iterable[Activation]) -> None:
    """Give the names of wrappers to what runs in them, so that who is sent to a wrapper is found.

    A graph node around exactly one activation is another name for it. An agent that only runs others (a workflow, a
    proxy of a remote agent) is not, but reaching it is reaching the first of them.
    """
    alive = {activation.number for activation in kept}
    for activation in candidates:
        if activation.number not in dropped or not activation.is_wrapper:
            continue
        inside = [candidates[number] for number in activation.inner if number in alive]
        if activation.strength == Strength.NODE and len(inside) == 1:
            inside[0].aliases.add(normal(activation.name))
        elif activation.strength == Strength.STRONG and inside:
            min(inside, key=lambda act: (act.start, act.top)).reached_by.add(normal(activation.name))
