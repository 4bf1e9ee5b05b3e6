"""The spans of some traces as a tree, without their attributes: which agent a span works for. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa

COLUMNS = (
    "trace_id",
    "span_id",
    "parent_span_id",
    "name",
    "start_time_unix_nano",
    "duration_ns",
    "status_code",
    "status_message",
    "service_name",
)
"""The columns of SPANS that are read."""

Key = tuple[bytes, bytes]  # trace id, span id


@dataclass(frozen=True, slots=True)
class Node:
    """One span."""

    trace_id: bytes
    span_id: bytes
    parent_span_id: bytes
    name: str
    start_time_unix_nano: int
    duration_ns: int
    status_code: int
    status_message: str
    service_name: str

    @property
    def key(self) -> Key:
        """What names the span."""
        return self.trace_id, self.span_id


class SpanTree:
    """The spans, and the agents that run in some of them."""

    def __init__(self, nodes: Mapping[Key, Node], agents: Mapping[Key, str]) -> None:
        """Take the spans, and the names of agents by the outermost span of each run."""
        self.nodes = nodes
        self._agents = dict(agents)

    def above(self, key: Key) -> Iterator[Key]:
        """Yield the spans above a span, the nearest first; a cycle ends where it closes."""
        seen = {key}
        node = self.nodes.get(key)
        while node is not None and node.parent_span_id:
            at = (node.trace_id, node.parent_span_id)
            if at in seen:
                return
            seen.add(at)
            yield at
            node = self.nodes.get(at)

    def agent_of(self, key: Key) -> str:
        """Return the agent of the innermost run around a span (or of the span), empty when there is none.

        What is found is kept for the spans on the way, so that asking for every span costs each step once.
        """
        way = []
        name = self._agents.get(key)
        for at in self.above(key) if name is None else ():
            way.append(at)
            name = self._agents.get(at)
            if name is not None:
                break
        for each in (key, *way):
            self._agents[each] = name or ""
        return name or ""


def read_nodes(spans: pa.Table) -> list[Node]:
    """Return the rows of a table with at least COLUMNS."""
    return [Node(*row) for row in zip(*(spans[name].to_pylist() for name in COLUMNS), strict=True)]
