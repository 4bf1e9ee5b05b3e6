"""How often services call one another, counted from spans and their parents.

A join over millions of spans takes seconds, so what a minute's calls were is remembered (where no other process
writes) and counted again when spans were added to that minute or to the quarter of an hour before it, where parents
start. Counting again takes at most a twentieth of the time: until then an answer may lack the newest spans. Where the
minute that a range begins or ends in holds many spans, all of it counts.
"""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from time import monotonic

from storage.clickhouse.bindings import Bindings, time_sql
from storage.clickhouse.engine import Engine
from storage.clickhouse.histogram import Histogram
from storage.queries import Dependency, TimeRange
from storage.windows import BUCKET_NS

_START = "start_time_unix_nano"
_SLOT_NS = 6 * BUCKET_NS
_LATE_SLOTS = 15  # a parent that comes late is noticed when it starts so many slots before its child, or fewer
_MAX_SLOTS = 16_384
# An end of a range with more spans than that is rounded to its whole slot, which is remembered.
_EXACT_ROWS = 50_000
# What takes longer is not counted again before so many times its duration has passed.
_ALWAYS_SECONDS, _REST = 0.2, 20
# A parent is looked for this long before and after its child.
_PARENT_MARGIN_NS = 6 * 3600 * 10**9
# Spans joined at once. After so long no further share of the traces is joined, and the counts are scaled.
_JOIN_ROWS, _ENOUGH_SECONDS = 3_000_000, 6.0
_SERVER = 1 << 32  # added to the service number of a server span

Edges = dict[tuple[bytes, bytes], int]


@dataclass(frozen=True, slots=True)
class _Counted:
    """A slot's calls, and how many spans there were when they were counted, in it and where parents start."""

    edges: Edges
    rows: int
    until: float  # of the monotonic clock: good enough until then, whatever came


class DependencyCounts:
    """`storage.api.TraceReader.dependencies` over the spans table. Thread-safe."""

    def __init__(self, engine: Engine, span_times: Histogram) -> None:
        self._engine, self._span_times = engine, span_times
        self._slots: dict[int, _Counted] = {}
        self._lock = threading.Lock()

    def count(self, time: TimeRange, service_name: str | None) -> list[Dependency]:
        """See `storage.api.TraceReader.dependencies`.

        The parent is looked for up to six hours around its child. Where counting takes longer than six seconds (tens
        of millions of spans), the counts are scaled up from a sample of whole traces.
        """
        time = time.clamped()
        if time.start >= time.end:
            return []
        found: Edges = {}
        for edges in self._parts(time) if self._engine.exclusive else self._joined(time).values():
            _add(found, edges)
        wanted = service_name.encode("utf-8", "surrogatepass") if service_name is not None else None
        return [
            Dependency(parent.decode("utf-8", "replace"), child.decode("utf-8", "replace"), calls)
            for (parent, child), calls in sorted(found.items())
            if wanted is None or wanted in (parent, child)
        ]

    def forget(self) -> None:
        """Note that spans were removed."""
        with self._lock:
            self._slots.clear()

    def _parts(self, time: TimeRange) -> Iterable[Edges]:
        """Return the calls of the whole slots within the range, and those of its two ends."""
        first, last = -(-time.start // _SLOT_NS), time.end // _SLOT_NS
        if first > last:
            return self._joined(time).values()
        ends = [TimeRange(time.start, first * _SLOT_NS), TimeRange(last * _SLOT_NS, time.end)]
        rows = [self._span_times.rows(end) for end in ends]
        found = [
            edges
            for end, count in zip(ends, rows, strict=True)
            if 0 < count <= _EXACT_ROWS
            for edges in self._joined(end).values()
        ]
        with self._lock:  # one counts, the others wait for what it finds
            return found + self._whole(first - (rows[0] > _EXACT_ROWS), last + (rows[1] > _EXACT_ROWS))

    def _whole(self, first: int, last: int) -> list[Edges]:
        used = self._span_times.used(_SLOT_NS, TimeRange((first - _LATE_SLOTS) * _SLOT_NS, last * _SLOT_NS))
        rows = {
            slot: sum(used.get(slot - back, 0) for back in range(_LATE_SLOTS + 1)) for slot in used if slot >= first
        }
        now = monotonic()
        missing = [slot for slot, count in rows.items() if not self._is_good(slot, count, now)]
        for run in _runs(missing):
            started = monotonic()
            joined = self._joined(TimeRange(run[0] * _SLOT_NS, (run[-1] + 1) * _SLOT_NS))
            ended = monotonic()
            until = ended + _REST * (ended - started) if ended - started > _ALWAYS_SECONDS else ended
            for slot in run:
                self._slots[slot] = _Counted(joined.get(slot, {}), rows[slot], until)
        found = [self._slots[slot].edges for slot in rows]
        for slot in sorted(self._slots)[: max(0, len(self._slots) - _MAX_SLOTS)]:
            del self._slots[slot]
        return found

    def _is_good(self, slot: int, rows: int, now: float) -> bool:
        known = self._slots.get(slot)
        return known is not None and (known.rows == rows or now < known.until)

    def _joined(self, time: TimeRange) -> dict[int, Edges]:
        """Return the calls by slot, from the spans."""
        wide = TimeRange(time.start - _PARENT_MARGIN_NS, time.end + _PARENT_MARGIN_NS).clamped()
        near, far = self._span_times.rows(time), self._span_times.rows(wide)
        few = near * 4 < far  # then parents are chosen by their children before they are grouped
        passes = max(1, -(-(near if few else far) // _JOIN_ROWS))
        started, shares = monotonic(), 0
        found: dict[int, Edges] = {}
        while shares < passes and (not shares or monotonic() - started < _ENOUGH_SECONDS):
            for slot, edge, calls in self._join(time, wide, (shares, passes), few):
                _add(found.setdefault(slot, {}), {edge: calls})
            shares += 1
        if shares < passes:
            found = {slot: {edge: n * passes // shares for edge, n in edges.items()} for slot, edges in found.items()}
        return found

    def _join(
        self, time: TimeRange, wide: TimeRange, part: tuple[int, int], few: bool
    ) -> list[tuple[int, tuple[bytes, bytes], int]]:
        bindings = Bindings()
        number, passes = part
        share = f"cityHash64(trace_id) % {passes} = {number}" if passes > 1 else "1"
        children = f"{time_sql(_START, time, bindings)} AND parent_span_id != '' AND {share}"
        parent_key = "cityHash64(trace_id, parent_span_id)"
        chosen = f"AND key IN (SELECT {parent_key} FROM spans WHERE {children})" if few else ""
        # Names travel as numbers (measured: half the time). Client and server may share a span id: the server is the
        # one whose work the child is part of, so its number wins.
        rows = self._engine.query(
            f"""
            WITH (SELECT arraySort(groupUniqArray(service_name)) FROM services) AS names
            SELECT slot, names[parent_number % {_SERVER}] AS parent, names[child_number] AS child, sum(n) AS calls FROM
            (
                SELECT intDiv({_START}, {_SLOT_NS}) AS slot, indexOf(names, service_name) AS child_number,
                    {parent_key} AS key, count() AS n
                FROM spans WHERE {children} GROUP BY slot, child_number, key
            ) AS children
            INNER JOIN
            (
                SELECT max(indexOf(names, service_name) + if(kind = 2, {_SERVER}, 0)) AS parent_number,
                    cityHash64(trace_id, span_id) AS key
                FROM spans WHERE {time_sql(_START, wide, bindings)} AND {share} {chosen} GROUP BY key
            ) AS parents USING (key)
            GROUP BY slot, parent, child
            """,
            bindings.parameters,
            {"join_algorithm": "hash"},
        )
        slots, parents, children_, calls = (rows[name].to_pylist() for name in ("slot", "parent", "child", "calls"))
        return [
            (slot, (parent, child), count)
            for slot, parent, child, count in zip(slots, parents, children_, calls, strict=True)
        ]


def _add(found: Edges, edges: Edges) -> None:
    for edge, calls in edges.items():
        found[edge] = found.get(edge, 0) + calls


def _runs(slots: Sequence[int]) -> list[list[int]]:
    """Return slots in runs of neighbours; empty ones between them do not count."""
    ordered = sorted(slots)
    numbered = groupby(enumerate(ordered), key=lambda pair: (pair[1] - pair[0]) // _LATE_SLOTS)
    return [[slot for _, slot in run] for _, run in numbered]
