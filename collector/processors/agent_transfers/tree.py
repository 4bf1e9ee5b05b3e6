"""The span forest of one group: duplicates merged, parents resolved, cycles cut, everything in a fixed order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from collector.processors.agent_transfers.model import Span
from collector.processors.agent_transfers.values import canonical

ROOT = -1


@dataclass(frozen=True, slots=True)
class Forest:
    """Spans by position, ordered by (start, trace id, span id); relations are positions, `ROOT` where there is none.

    `top_down` lists every span after its parent. A span whose parent is missing, is itself, or closes a cycle is a
    root.
    """

    spans: tuple[Span, ...]
    parent: tuple[int, ...]
    children: tuple[tuple[int, ...], ...]
    top_down: tuple[int, ...]
    position: dict[tuple[bytes, bytes], int]

    def ancestors(self, index: int) -> Iterator[int]:
        """Yield the proper ancestors, nearest first."""
        at = self.parent[index]
        while at != ROOT:
            yield at
            at = self.parent[at]


def build_forest(spans: Sequence[Span]) -> Forest:
    """Build the forest of any spans. Linear but for sorting; the result does not depend on the order of `spans`."""
    kept = sorted(_merged(spans), key=_order)
    position = {(span.trace_id, span.span_id): index for index, span in enumerate(kept)}
    parent = [_parent_of(span, position) for span in kept]
    _cut_cycles(parent)
    children: list[list[int]] = [[] for _ in kept]
    for index, above in enumerate(parent):
        if above != ROOT:
            children[above].append(index)
    return Forest(
        spans=tuple(kept),
        parent=tuple(parent),
        children=tuple(tuple(below) for below in children),
        top_down=tuple(_top_down(parent, children)),
        position=position,
    )


def _order(span: Span) -> tuple[int, bytes, bytes]:
    return (span.start_time_unix_nano, span.trace_id, span.span_id)


def _merged(spans: Sequence[Span]) -> list[Span]:
    """Keep one span per id. Of differing copies the one that ended last wins: it is the finished one."""
    best: dict[tuple[bytes, bytes], Span] = {}
    for span in spans:
        key = (span.trace_id, span.span_id)
        other = best.get(key)
        if other is None or (span != other and _rank(span) > _rank(other)):
            best[key] = span
    return list(best.values())


def _rank(span: Span) -> tuple[int, int, bytes]:
    content = (span.name, span.parent_span_id, span.start_time_unix_nano, span.status_message, dict(span.attributes))
    return (span.end_time_unix_nano, len(span.attributes), canonical(content))


def _parent_of(span: Span, position: dict[tuple[bytes, bytes], int]) -> int:
    if not span.parent_span_id or span.parent_span_id == span.span_id:
        return ROOT
    return position.get((span.trace_id, span.parent_span_id), ROOT)


def _cut_cycles(parent: list[int]) -> None:
    """Make the first span of every cycle a root; each span is visited once."""
    state = bytearray(len(parent))  # 0 unseen, 1 on the current path, 2 done
    for start in range(len(parent)):
        path = []
        at = start
        while at != ROOT and state[at] == 0:
            state[at] = 1
            path.append(at)
            at = parent[at]
        if at != ROOT and state[at] == 1:
            parent[min(_cycle(path, at))] = ROOT
        for index in path:
            state[index] = 2


def _cycle(path: list[int], entry: int) -> list[int]:
    return path[path.index(entry) :]


def _top_down(parent: list[int], children: list[list[int]]) -> Iterator[int]:
    stack = [index for index in range(len(parent) - 1, -1, -1) if parent[index] == ROOT]
    while stack:
        index = stack.pop()
        yield index
        stack.extend(reversed(children[index]))
