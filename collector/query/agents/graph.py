"""Who hands work to whom as a directed graph: loops, and agents that hand the same work back and forth. Pure."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

PING_PONG_LENGTH = 3
"""So many transfers in turn between two agents, at least: the work has then come to one of them for the second time."""

_Graph = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Handover:
    """A transfer as far as order matters. `place` is (conversation id, trace id), one of them empty."""

    place: tuple[str, str]
    time_unix_nano: int
    from_agent: str
    to_agent: str


@dataclass(frozen=True, slots=True)
class PingPong:
    """Two agents that hand the work back and forth in one place: their longest run of transfers in turn."""

    agents: tuple[str, str]  # who begins, first
    place: tuple[str, str]
    transfers: int
    first_unix_nano: int
    last_unix_nano: int


@dataclass(frozen=True, slots=True)
class Loop:
    """Agents of which each can reach each other (a strongly connected component), and one way round.

    `agents` are sorted; `cycle` is a shortest cycle through the first of them, which it begins with.
    """

    agents: tuple[str, ...]
    cycle: tuple[str, ...]


def ping_pongs(handovers: Iterable[Handover], shortest: int = PING_PONG_LENGTH) -> list[PingPong]:
    """Return the pairs that hand over in turn at least `shortest` times in a row, the most transfers first.

    What happens with other agents in between does not matter. Cost: sorting.
    """
    between: dict[tuple[tuple[str, str], str, str], list[Handover]] = {}
    for handover in handovers:
        low, high = sorted((handover.from_agent, handover.to_agent))
        if low != high:
            between.setdefault((handover.place, low, high), []).append(handover)
    found = []
    for several in between.values():
        longest = _longest_alternation(sorted(several, key=lambda each: (each.time_unix_nano, each.from_agent)))
        if len(longest) >= shortest:
            first, last = longest[0], longest[-1]
            agents = (first.from_agent, first.to_agent)
            found.append(PingPong(agents, first.place, len(longest), first.time_unix_nano, last.time_unix_nano))
    return sorted(found, key=lambda each: (-each.transfers, each.first_unix_nano, each.place, each.agents))


def _longest_alternation(ordered: Sequence[Handover]) -> Sequence[Handover]:
    """Return the first longest stretch in which every handover goes the other way than the one before."""
    start, best = 0, (0, 0)
    for at, handover in enumerate(ordered):
        if at and handover.from_agent == ordered[at - 1].from_agent:
            start = at
        if at + 1 - start > best[1] - best[0]:
            best = (start, at + 1)
    return ordered[best[0] : best[1]]


def loops(edges: Iterable[tuple[str, str]]) -> list[Loop]:
    """Return the loops of a graph, largest first. An agent that hands over to itself is one. Linear in the edges."""
    graph: dict[str, list[str]] = {}
    for source, target in sorted(set(edges)):
        graph.setdefault(source, []).append(target)
        graph.setdefault(target, [])
    found = []
    for component in strongly_connected(graph):
        if len(component) > 1 or component[0] in graph[component[0]]:
            agents = tuple(sorted(component))
            found.append(Loop(agents, _cycle_through(graph, agents[0], frozenset(agents))))
    return sorted(found, key=lambda loop: (-len(loop.agents), loop.agents))


def strongly_connected(graph: _Graph) -> Iterator[list[str]]:
    """Yield the strongly connected components; every node is a key of the graph.

    Tarjan's algorithm with a stack of its own: a chain of agents may be longer than Python's.
    """
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    open_nodes: list[str] = []
    is_open: set[str] = set()
    for root in graph:
        work = [] if root in order else [(root, iter(graph[root]))]
        if work:
            order[root] = low[root] = len(order)
            open_nodes.append(root)
            is_open.add(root)
        while work:
            node, targets = work[-1]
            target = next(targets, None)
            if target is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == order[node]:
                    yield _closed(node, open_nodes, is_open)
            elif target not in order:
                order[target] = low[target] = len(order)
                open_nodes.append(target)
                is_open.add(target)
                work.append((target, iter(graph[target])))
            elif target in is_open:
                low[node] = min(low[node], order[target])


def _closed(node: str, open_nodes: list[str], is_open: set[str]) -> list[str]:
    """Take the finished component that begins with the node off the open ones."""
    at = len(open_nodes) - 1
    while open_nodes[at] != node:
        at -= 1
    component = open_nodes[at:]
    del open_nodes[at:]
    is_open.difference_update(component)
    return component


def _cycle_through(graph: _Graph, start: str, inside: frozenset[str]) -> tuple[str, ...]:
    """Return a shortest way from a node of a component back to itself, the node once."""
    came_from: dict[str, str] = {}
    waiting = deque([start])
    while waiting:
        node = waiting.popleft()
        for target in graph[node]:
            if target == start:
                way = [node]
                while way[-1] != start:
                    way.append(came_from[way[-1]])
                return tuple(reversed(way))
            if target in inside and target not in came_from:
                came_from[target] = node
                waiting.append(target)
    return (start,)
