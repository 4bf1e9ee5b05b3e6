"""What Jaeger does to a trace before it answers it, unless raw traces are asked for.

Each step takes the rows of one whole trace and changes them in place; the order of the steps matters.
Source: jaeger `jaegerquery/internal/adjuster/standard.go` and its neighbours.
"""

from collections.abc import Sequence
from operator import itemgetter

from exporters.columns import Attribute
from exporters.contexts import ResourceContext, ScopeContext, once_per_context, with_attributes
from exporters.jaeger.clock_skew import correct_clock_skew
from exporters.jaeger.span_ids import split_shared_span_ids
from exporters.jaeger.warnings import add_warning
from exporters.rows import SpanRow
from storage.attributes import DOUBLE, INT, STRING

_KEY = itemgetter(0)
_IP_KEYS = frozenset(("ip", "peer.ipv4"))
_LIBRARY_KEYS = frozenset(
    (
        "telemetry.sdk.language",
        "telemetry.sdk.name",
        "telemetry.sdk.version",
        "telemetry.distro.name",
        "telemetry.distro.version",
    )
)
_SPECIAL_KEYS = _IP_KEYS | _LIBRARY_KEYS


def adjusted(rows: list[SpanRow], max_clock_skew_ns: int = 0) -> list[SpanRow]:
    """Return the rows of one trace as Jaeger shows them: the same objects, changed, without exact duplicates.

    `max_clock_skew_ns` is the largest correction that is applied; 0, Jaeger's default, only warns.
    """
    split_shared_span_ids(rows)
    for row in rows:
        _sort_collections(row)
    rows = _without_duplicates(rows)
    correct_clock_skew(rows, max_clock_skew_ns)
    special = [row for row in rows if not _SPECIAL_KEYS.isdisjoint(map(_KEY, row.attributes))]
    for row in special:
        row.attributes = _dotted_ips(row.attributes)
    for row in rows:
        row.resource = _dotted_resource(row.resource)
    _move_library_attributes(special, rows)
    for row in rows:
        _remove_empty_links(row)
    return rows


def _sort_collections(row: SpanRow) -> None:
    """Sort attributes by key and events by name; of duplicate keys the last value stays."""
    row.attributes = _by_key(row.attributes)
    if row.events:
        row.events.sort(key=lambda event: event.name)
        for event in row.events:
            event.attributes = _by_key(event.attributes)
    for link in row.links:
        link.attributes = _by_key(link.attributes)
    row.resource = _sorted_resource(row.resource)
    row.scope = _sorted_scope(row.scope)


def _by_key(attributes: Sequence[Attribute]) -> Sequence[Attribute]:
    if len(attributes) < 2:
        return attributes
    last = {each[0]: each for each in attributes}
    return sorted(last.values(), key=_KEY)


@once_per_context
def _sorted_resource(context: ResourceContext) -> ResourceContext:
    ordered = tuple(_by_key(context.attributes))
    return context if ordered == context.attributes else with_attributes(context, ordered, context.cacheable)


@once_per_context
def _sorted_scope(context: ScopeContext) -> ScopeContext:
    ordered = tuple(_by_key(context.attributes))
    return context if ordered == context.attributes else with_attributes(context, ordered, context.cacheable)


def _without_duplicates(rows: list[SpanRow]) -> list[SpanRow]:
    """Drop spans that equal an earlier one; only spans that share an id are compared."""
    if len({row.span_id for row in rows}) == len(rows):
        return rows
    seen: set[object] = set()
    kept = []
    for row in rows:
        content = _content(row)
        if content not in seen:
            seen.add(content)
            kept.append(row)
    return kept


def _content(row: SpanRow) -> object:
    """Return everything that Jaeger hashes of a span: the span, its resource's and its scope's attributes."""
    return (
        (row.span_id, row.parent_span_id, row.trace_state, row.flags, row.name, row.kind),
        (row.start_time_unix_nano, row.duration_ns, row.status_code, row.status_message),
        (tuple(row.attributes), row.dropped_attributes_count, row.dropped_events_count, row.dropped_links_count),
        tuple((e.time_unix_nano, e.name, tuple(e.attributes), e.dropped_attributes_count) for e in row.events),
        tuple(
            (e.trace_id, e.span_id, e.trace_state, tuple(e.attributes), e.dropped_attributes_count, e.flags)
            for e in row.links
        ),
        row.resource.attributes,
        row.scope.attributes,
    )


def _dotted_ips(attributes: Sequence[Attribute]) -> list[Attribute]:
    """Write numeric IPv4 addresses with dots."""
    return [_dotted(*each) if each[0] in _IP_KEYS and each[1] in (INT, DOUBLE) else each for each in attributes]


def _dotted(key: str, _letter: str, value: str | bytes) -> Attribute:
    number = float(value)
    # Python's int keeps all digits of an integer text; a double is cut as Go does.
    whole = int(value) if _letter == INT else int(number) if number - number == 0 else 0
    return key, STRING, ".".join(str(byte) for byte in (whole % 2**32).to_bytes(4, "big"))


@once_per_context
def _dotted_resource(context: ResourceContext) -> ResourceContext:
    dotted = tuple(_dotted_ips(context.attributes))
    return context if dotted == context.attributes else with_attributes(context, dotted, context.cacheable)


def _move_library_attributes(special: list[SpanRow], rows: list[SpanRow]) -> None:
    """Move what describes the SDK from spans to their resource, for all spans of that resource."""
    having: dict[ResourceContext, list[SpanRow]] = {}
    for row in special:
        if any(key in _LIBRARY_KEYS for key, _, _ in row.attributes):
            having.setdefault(row.resource, []).append(row)
    for before, moving in having.items():
        _move_to_resource(before, moving, rows)


def _move_to_resource(before: ResourceContext, moving: list[SpanRow], rows: list[SpanRow]) -> None:
    found = {each[0]: each for each in before.attributes}
    for row in moving:
        kept = []
        conflicts = []
        for each in row.attributes:
            if each[0] not in _LIBRARY_KEYS:
                kept.append(each)
            elif found.setdefault(each[0], each) != each:
                kept.append(each)
                conflicts.append(each[0])
        row.attributes = kept
        for key in conflicts:
            add_warning(row, f"conflicting values between Span and Resource for attribute {key}")
    after = with_attributes(before, list(found.values()), cacheable=False)
    for row in rows:
        if row.resource is before:
            row.resource = after


def _remove_empty_links(row: SpanRow) -> None:
    for link in row.links:
        if not any(link.trace_id):
            add_warning(row, "Invalid span link removed")
    if row.links:
        row.links = [link for link in row.links if any(link.trace_id)]
