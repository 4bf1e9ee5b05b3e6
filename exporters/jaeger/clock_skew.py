"""Children that seem to run outside their parent because their host's clock differs.

Source: jaeger `jaegerquery/internal/adjuster/clockskew.go`; warnings are its texts.
"""

from dataclasses import dataclass, field

from exporters.contexts import ResourceContext, once_per_context
from exporters.jaeger.durations import format_duration
from exporters.jaeger.ids import span_id_text
from exporters.jaeger.warnings import add_warning
from exporters.rows import SpanRow
from storage.attributes import ARRAY, STRING, decode


@dataclass(slots=True)
class _Node:
    row: SpanRow
    host: str
    children: list["_Node"] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Skew:
    host: str
    delta_ns: int = 0


def correct_clock_skew(rows: list[SpanRow], max_delta_ns: int) -> None:
    """Move spans of other hosts into their parents where they do not fit, by `max_delta_ns` at most, else warn."""
    # Depth first without recursion: a chain of spans may be longer than Python's stack. Parents come first.
    stack: list[tuple[_Node, _Node | None, _Skew]]
    stack = [(root, None, _Skew(root.host)) for root in _roots(_nodes(rows))]
    while stack:
        node, parent, skew = stack.pop()
        if parent is not None and (node.host != skew.host or not node.host):
            skew = _Skew(node.host, _calculate(node.row, parent.row))
        if skew.delta_ns:
            _apply(node.row, skew.delta_ns, max_delta_ns)
        stack.extend((child, node, skew) for child in node.children)


def _nodes(rows: list[SpanRow]) -> dict[bytes, _Node]:
    nodes: dict[bytes, _Node] = {}
    for row in rows:
        if row.span_id in nodes:
            add_warning(row, "duplicate span IDs; skipping clock skew adjustment")
        else:
            nodes[row.span_id] = _Node(row, _host(row.resource))
    return nodes


def _roots(nodes: dict[bytes, _Node]) -> list[_Node]:
    """Link children to parents; spans without a parent in the trace are roots."""
    roots = []
    for node in nodes.values():
        parent_id = node.row.parent_span_id
        parent = nodes.get(parent_id) if any(parent_id) else None
        if parent is not None:
            parent.children.append(node)
            continue
        roots.append(node)
        if any(parent_id):
            missing = span_id_text(parent_id)
            add_warning(node.row, f"parent span ID={missing} is not in the trace; skipping clock skew adjustment")
    return roots


@once_per_context
def _host(resource: ResourceContext) -> str:
    """Return what tells hosts apart: host.id, else the first host.ip, else host.name, else nothing."""
    found = {key: (letter, value) for key, letter, value in resource.attributes}
    for key in ("host.id", "host.ip", "host.name"):
        if key not in found:
            continue
        letter, value = found[key]
        if letter == STRING:
            return str(value)
        if key != "host.ip":
            return ""
        if letter == ARRAY and isinstance(value, bytes):
            addresses = decode(ARRAY, value)
            if isinstance(addresses, list) and addresses:
                return str(addresses[0])
    return ""


def _calculate(child: SpanRow, parent: SpanRow) -> int:
    """Return how far the child has to move, in nanoseconds."""
    early = child.start_time_unix_nano < parent.start_time_unix_nano
    if child.duration_ns > parent.duration_ns:
        # Asynchronous, or the parent gave up waiting: only make sure that it does not start before its parent.
        return parent.start_time_unix_nano - child.start_time_unix_nano if early else 0
    late = child.start_time_unix_nano + child.duration_ns > parent.start_time_unix_nano + parent.duration_ns
    if not early and not late:
        return 0
    # The way there takes as long as the way back.
    latency = (parent.duration_ns - child.duration_ns) // 2
    return parent.start_time_unix_nano + latency - child.start_time_unix_nano


def _apply(row: SpanRow, delta_ns: int, max_delta_ns: int) -> None:
    delta = format_duration(delta_ns)
    if max_delta_ns == 0:
        add_warning(row, f"clock skew adjustment disabled; not applying calculated delta of {delta}")
        return
    if abs(delta_ns) > max_delta_ns:
        limit = format_duration(max_delta_ns)
        add_warning(
            row, f"max clock skew adjustment delta of {limit} exceeded; not applying calculated delta of {delta}"
        )
        return
    row.start_time_unix_nano = max(0, row.start_time_unix_nano + delta_ns)
    for event in row.events:
        event.time_unix_nano = max(0, event.time_unix_nano + delta_ns)
    add_warning(row, f"This span's timestamps were adjusted by {delta}")
