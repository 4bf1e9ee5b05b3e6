"""Which service calls which: spans and their parents, packed by the server and joined here.

A join of a million spans takes the server four times as long as to read them: it hashes texts and writes what does not
fit its memory to disk.
"""

from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from storage.postgres.bindings import Bindings, time_sql
from storage.postgres.database import Database
from storage.postgres.suggestions import text
from storage.queries import Dependency, TimeRange
from storage.windows import Windows

_START = "start_time_unix_nano"
# A parent is looked for this long before and after the range of its child.
_PARENT_MARGIN_NS = 6 * 3600 * 10**9
# Spans joined at most: beyond, whole traces are sampled and the counts scaled.
_JOIN_ROWS = 4_000_000
# Spans that are in memory at once, here and in the server: 42 bytes each, twice here.
_PASS_ROWS = 1_000_000
_SHARES = 256  # of all traces: values of the last byte of their ids
_FEW = 8  # a range with fewer than one in so many spans of those around it: its traces are looked up one by one
_GROUPS = 32  # values that the traces come in: a power of two
_CALLED, _SERVER = 1, 2
_PACKED = np.dtype(
    [("trace", "<u8", 2), ("span", "<u8"), ("parent", "<u8"), ("service", ">i8"), ("flags", ">i2")],
)
_PACK = f"""
    trace_id || span_id
    || CASE WHEN octet_length(parent_span_id) = 8 THEN parent_span_id ELSE '\\x0000000000000000'::bytea END
    || int8send(hashtextextended(service_name, 0))
    || int2send(
        (CASE WHEN {{called}} THEN {_CALLED} ELSE 0 END + CASE WHEN kind = 2 THEN {_SERVER} ELSE 0 END)::smallint
    )
"""

Calls = Counter[tuple[int, int]]


class DependencyCounts:
    """`storage.api.TraceReader.dependencies` over the spans table."""

    def __init__(self, database: Database, span_times: Windows) -> None:
        self._database, self._span_times = database, span_times

    def count(self, time: TimeRange, service_name: str | None) -> list[Dependency]:
        """See `storage.api.TraceReader.dependencies`.

        The parent is looked for up to six hours around the range. Beyond four million spans the counts are scaled up
        from a sample of whole traces.
        """
        time = time.clamped()
        if time.start >= time.end:
            return []
        wide = TimeRange(time.start - _PARENT_MARGIN_NS, time.end + _PARENT_MARGIN_NS).clamped()
        near, far = self._span_times.rows(time), self._span_times.rows(wide)
        few = near * _FEW < far
        rows = max(near * 2 if few else far, 1)
        share = max(1, min(_SHARES, _SHARES * _JOIN_ROWS // rows))
        step = max(1, _SHARES * _PASS_ROWS // rows)
        calls: Calls = Counter()
        for first in range(0, share, step):
            for packed in self._packed(time, wide, range(first, min(first + step, share)), few):
                calls.update(_joined(packed))
        names = self._names()
        found = [
            Dependency(names[parent], names[child], count * _SHARES // share)
            for (parent, child), count in calls.items()
            if {parent, child} <= names.keys() and service_name in (None, names[parent], names[child])
        ]
        return sorted(found, key=lambda edge: (edge.parent, edge.child))

    def _packed(self, time: TimeRange, wide: TimeRange, share: range, few: bool) -> Iterator[NDArray[np.void]]:
        """Yield the spans of a share of the traces, which is given by the last bytes of their ids; a trace's together.

        `few`: those traces that have spans in the narrow range are looked up one by one.
        """
        bindings = Bindings()
        within = time_sql(_START, time, bindings)
        shared = f"get_byte(trace_id, 15) BETWEEN {share.start} AND {share.stop - 1}"
        chosen = f"trace_id = ANY(ARRAY(SELECT DISTINCT trace_id FROM spans WHERE {within} AND {shared}))"
        pack = _PACK.format(called=f"parent_span_id <> '' AND {within}")
        rows = self._database.query(
            f"""
            SELECT string_agg({pack}, ''::bytea) FROM spans
            WHERE {time_sql(_START, wide, bindings)} AND {chosen if few else shared}
            GROUP BY get_byte(trace_id, 15) & {_GROUPS - 1}
            """,
            bindings.parameters,
        )
        for (packed,) in rows:
            yield np.frombuffer(packed, _PACKED)

    def _names(self) -> dict[int, str]:
        rows = self._database.query("SELECT DISTINCT hashtextextended(service_name, 0), service_name FROM services")
        return {number: text(name) for number, name in rows}


def _joined(spans: NDArray[np.void]) -> Calls:
    """Count the calls among the spans of some traces, by the numbers of the two services."""
    dice = np.random.default_rng().integers(0, 2**63, 3, np.uint64) * 2 + np.uint64(1)  # nobody can make ids collide
    traces = _mixed(spans["trace"][:, 0] * dice[0]) + _mixed(spans["trace"][:, 1] * dice[1])
    keys, wanted = (_mixed((traces + spans[name]) * dice[2]) for name in ("span", "parent"))
    services, codes = np.unique(spans["service"].astype(np.int64), return_inverse=True)
    # Client and server may share a span id: the server, which sorts last, is the one whose work the child is part of.
    order = np.lexsort((codes, spans["flags"] & _SERVER, keys))
    places = np.searchsorted(keys[order], wanted, side="right") - 1
    parents = order[places]
    calls = ((spans["flags"] & _CALLED) > 0) & (places >= 0) & (keys[parents] == wanted)
    pairs, counts = np.unique(codes[parents[calls]] * len(services) + codes[calls], return_counts=True)
    ends = zip(services[pairs // len(services)].tolist(), services[pairs % len(services)].tolist(), strict=True)
    return Counter(dict(zip(ends, counts.tolist(), strict=True)))


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    return values ^ (values >> np.uint64(32))
