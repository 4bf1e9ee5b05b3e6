"""Zipkin-style clients give the server's span the id of the client's: the UI needs them apart.

Source: jaeger `jaegerquery/internal/adjuster/spaniduniquifier.go`.
"""

from exporters.rows import SpanRow

_CLIENT, _SERVER = 3, 2


def split_shared_span_ids(rows: list[SpanRow]) -> None:
    """Give each server span that shares its id with a client span an unused id and make the client its parent.

    Children that named the shared id become children of the server span.
    """
    used = {row.span_id for row in rows}
    if len(used) == len(rows):
        return
    clients = {row.span_id for row in rows if row.kind == _CLIENT}
    replaced: dict[bytes, bytes] = {}
    last = 0
    for row in rows:
        if row.kind != _SERVER or row.span_id not in clients:
            continue
        last = _next_unused(last, used)
        replaced[row.span_id] = last.to_bytes(8, "big")
        row.parent_span_id, row.span_id = row.span_id, replaced[row.span_id]
    for row in rows:
        new_parent = replaced.get(row.parent_span_id)
        if new_parent is not None and row.span_id != new_parent:
            row.parent_span_id = new_parent


def _next_unused(last: int, used: set[bytes]) -> int:
    candidate = last + 1
    while candidate.to_bytes(8, "big") in used:
        candidate += 1
    return candidate
