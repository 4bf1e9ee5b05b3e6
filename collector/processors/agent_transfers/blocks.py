"""Runs side by side: which runs share a container span, and in which order they ran.

A container is the nearest span above a run that holds another run as well. Runs that overlap, and graph nodes of one
step, form one wave: they run beside each other, not one after the other.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from collector.processors.agent_transfers.activations import Activation
from collector.processors.agent_transfers.group import TOLERANCE_NANO, Group
from collector.processors.agent_transfers.semantics import metadata
from collector.processors.agent_transfers.tree import ROOT


@dataclass(frozen=True, slots=True)
class Block:
    """A run, or a container with its runs: what enters it first and what leaves it last."""

    start: int
    end: int
    first: tuple[Activation, ...]
    last: tuple[Activation, ...]
    step: str


@dataclass(frozen=True, slots=True)
class Edge:
    """One run directly after another in a container (`ROOT`: none)."""

    before: Activation
    after: Activation
    container: int


def run_block(group: Group, run: Activation) -> Block:
    """Return the block of a single run."""
    return Block(run.start, run.end, (run,), (run,), _step_of(group, run))


def find_edges(group: Group, left_out: set[int]) -> Iterator[Edge]:
    """Yield which run directly follows which, container by container, innermost first. `left_out` are run numbers."""
    containers = _containers(group, left_out)
    blocks: dict[int, list[Block]] = {}
    for run in group.activations.real:
        if run.number not in left_out and (above := _container_above(group, containers, run.top)) != ROOT:
            blocks.setdefault(above, []).append(run_block(group, run))
    for container in reversed(group.forest.top_down):  # inner containers before outer ones
        inside = blocks.pop(container, None)
        if not inside:
            continue
        waves = make_waves(inside)
        for before, after in wave_edges(waves):
            yield Edge(before, after, container)
        if (above := _container_above(group, containers, container)) != ROOT:
            blocks.setdefault(above, []).append(_joined(waves))


def _containers(group: Group, left_out: set[int]) -> list[int]:
    """Return for every span the nearest one at or above that holds several runs; ROOT if a run or tool is nearer."""
    forest = group.forest
    tops = {run.top for run in group.activations.real}
    counted = {run.top for run in group.activations.real if run.number not in left_out}
    held = [0] * len(forest.spans)
    for index in reversed(forest.top_down):
        above = forest.parent[index]
        if above != ROOT and not group.facts[above].is_tool:
            held[above] += 1 if index in counted else 0 if index in tops else min(held[index], 2)
    container = [ROOT] * len(forest.spans)
    for index in forest.top_down:
        above = forest.parent[index]
        if group.facts[index].is_tool or group.is_run(index):
            continue
        container[index] = index if held[index] >= 2 else container[above] if above != ROOT else ROOT
    return container


def _container_above(group: Group, containers: list[int], index: int) -> int:
    above = group.forest.parent[index]
    return containers[above] if above != ROOT else ROOT


def make_waves(blocks: list[Block]) -> list[list[Block]]:
    """Order blocks in time; what overlaps or is of one graph step shares a wave."""
    waves: list[list[Block]] = []
    until = 0
    for block in sorted(blocks, key=lambda b: (b.start, b.end, b.first[0].top)):
        same_step = bool(waves and block.step and block.step == waves[-1][-1].step)
        if waves and (same_step or block.start < until - TOLERANCE_NANO):
            waves[-1].append(block)
            until = max(until, block.end)
        else:
            waves.append([block])
            until = block.end
    return waves


def wave_edges(waves: list[list[Block]]) -> Iterator[tuple[Activation, Activation]]:
    """Yield the pairs between neighbouring waves; from many to many nobody can tell who went to whom."""
    for earlier, later in itertools.pairwise(waves):
        last = [run for block in earlier for run in block.last]
        first = [run for block in later for run in block.first]
        if len(last) == 1 or len(first) == 1:
            yield from ((before, after) for before in last for after in first)


def _joined(waves: list[list[Block]]) -> Block:
    return Block(
        start=min(block.start for block in waves[0]),
        end=max(block.end for wave in waves for block in wave),
        first=tuple(run for block in waves[0] for run in block.first),
        last=tuple(run for block in waves[-1] for run in block.last),
        step="",
    )


def _step_of(group: Group, run: Activation) -> str:
    """Return the graph step a run is of: nodes of one step run in parallel, whatever their times say."""
    span = group.forest.spans[run.top]
    step = metadata(span.attributes, "langgraph_step")
    namespace = metadata(span.attributes, "langgraph_checkpoint_ns")
    return f"{namespace.rpartition('|')[0]}#{step}" if step else ""
