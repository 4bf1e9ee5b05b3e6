"""What a list of traces shows of each trace, computed from a narrow spans table: shared by every search answer."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

# The columns of SPANS to ask storage for; nothing else is read here.
COLUMNS = (
    "trace_id",
    "span_id",
    "parent_span_id",
    "name",
    "start_time_unix_nano",
    "duration_ns",
    "status_code",
    "service_name",
)

_STATUS_ERROR = 2
_NO_PARENT = (b"", bytes(8))

_Ints = npt.NDArray[np.int64]
_UInts = npt.NDArray[np.uint64]
_Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ServiceCount:
    """How many spans of a trace belong to a service, and how many of those have status ERROR."""

    name: str
    span_count: int
    error_count: int


@dataclass(frozen=True, slots=True)
class TraceSummary:
    """One trace in a list. Times are nanoseconds since the epoch.

    The root is the earliest span without a parent; both root fields are None when no such span is stored.
    `orphan_count` counts spans whose parent is named but not part of the trace. `services` are sorted by name.
    """

    trace_id: bytes
    root_service: str | None
    root_name: str | None
    start_unix_nano: int
    end_unix_nano: int
    span_count: int
    error_count: int
    orphan_count: int
    services: tuple[ServiceCount, ...]


def summarize(spans: pa.Table) -> list[TraceSummary]:
    """Return one summary per trace, in the table's order.

    Shape: at least the columns of `COLUMNS`; rows of a trace are adjacent and ordered by start time, as
    `storage.api.TraceReader.get_traces` answers them. Cost grows with rows in numpy only, with traces in Python.
    """
    if spans.num_rows == 0:
        return []
    table = spans.select(COLUMNS).unify_dictionaries().combine_chunks()
    first, segment = _segments(table)
    starts = _numpy(table, "start_time_unix_nano").astype(np.uint64)
    ends = _ends(starts, _numpy(table, "duration_ns"))
    errors = _numpy(table, "status_code") == _STATUS_ERROR
    roots = _roots(table, first, segment)
    services = _services(table, segment, errors)
    columns = zip(
        table["trace_id"].take(pa.array(first)).to_pylist(),
        [service for service, _ in roots],
        [name for _, name in roots],
        np.minimum.reduceat(starts, first).tolist(),
        np.maximum.reduceat(ends, first).tolist(),
        np.diff(np.append(first, table.num_rows)).tolist(),
        np.add.reduceat(errors.astype(np.int64), first).tolist(),
        np.add.reduceat(_orphans(table, segment).astype(np.int64), first).tolist(),
        services,
        strict=True,
    )
    return [TraceSummary(*values) for values in columns]


def _numpy(table: pa.Table, name: str) -> npt.NDArray[np.generic]:
    values: npt.NDArray[np.generic] = table[name].to_numpy()
    return values


def _segments(table: pa.Table) -> tuple[_Ints, _Ints]:
    """Return the first row of each trace, and for each row the number of its trace."""
    ids = _fixed_ids(table["trace_id"], width=16).reshape(-1, 2)
    changes = np.any(ids[1:] != ids[:-1], axis=1)
    first = np.concatenate(([0], np.flatnonzero(changes) + 1)).astype(np.int64)
    segment = np.concatenate(([0], np.cumsum(changes))).astype(np.int64)
    return first, segment


def _fixed_ids(column: pa.ChunkedArray, width: int) -> _UInts:
    """Return ids of `width` bytes as unsigned 64-bit words."""
    ids = pa.concat_arrays([chunk.cast(pa.binary(width)) for chunk in column.chunks])
    words = np.frombuffer(ids.buffers()[1], dtype=np.uint64)
    per_id = width // 8
    found: _UInts = words[ids.offset * per_id : (ids.offset + len(ids)) * per_id]
    return found


def _ends(starts: _UInts, durations: npt.NDArray[np.generic]) -> _UInts:
    """Add durations (negative ones count as zero) and stay at the largest time instead of wrapping."""
    room = np.uint64(np.iinfo(np.uint64).max) - starts
    ends: _UInts = starts + np.minimum(np.maximum(durations.astype(np.int64), 0).astype(np.uint64), room)
    return ends


def _roots(table: pa.Table, first: _Ints, segment: _Ints) -> list[tuple[str | None, str | None]]:
    """Return (service, name) of each trace's first span without a parent."""
    parentless = np.flatnonzero(~_names_parent(table))
    with_root, position = np.unique(segment[parentless], return_index=True)
    rows = pa.array(parentless[position])
    services = table["service_name"].take(rows).to_pylist()
    names = table["name"].take(rows).to_pylist()
    roots: list[tuple[str | None, str | None]] = [(None, None)] * len(first)
    for index, service, name in zip(with_root.tolist(), services, names, strict=True):
        roots[index] = (service, name)
    return roots


def _names_parent(table: pa.Table) -> _Bools:
    """Return, for each row, whether it has a parent: as in OTLP's own readers, an id of zeros names none."""
    column = table["parent_span_id"]
    none = pc.is_in(column, value_set=pa.array(_NO_PARENT, column.type))
    named: _Bools = pc.invert(none).to_numpy()
    return named


def _orphans(table: pa.Table, segment: _Ints) -> _Bools:
    """Return, for each row, whether its parent is named but missing from its trace."""
    orphan = _names_parent(table)
    proper = pc.equal(pc.binary_length(table["parent_span_id"]), 8).to_numpy()
    if not proper.any():
        return orphan
    span_ids = _fixed_ids(table["span_id"], width=8)
    distinct, code = np.unique(span_ids, return_inverse=True)
    parents = _fixed_ids(table["parent_span_id"].filter(pa.array(proper)), width=8)
    at = np.minimum(np.searchsorted(distinct, parents), len(distinct) - 1)
    # One number for (trace, span id), so that the same span id in another trace is not taken for the parent.
    present = np.isin(segment[proper] * len(distinct) + at, segment * len(distinct) + code)
    found = np.zeros(len(orphan), dtype=np.bool_)
    found[proper] = present & (distinct[at] == parents)
    return orphan & ~found


def _services(table: pa.Table, segment: _Ints, errors: _Bools) -> list[tuple[ServiceCount, ...]]:
    column = table["service_name"].combine_chunks()
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    names = encoded.dictionary.to_pylist()
    key = segment * len(names) + encoded.indices.to_numpy()
    distinct, position = np.unique(key, return_inverse=True)
    spans = np.bincount(position).tolist()
    failed = np.bincount(position, weights=errors).astype(np.int64).tolist()
    per_trace: dict[int, list[ServiceCount]] = defaultdict(list)
    for pair, count, error_count in zip(distinct.tolist(), spans, failed, strict=True):
        trace, service = divmod(pair, len(names))
        per_trace[trace].append(ServiceCount(names[service], count, error_count))
    return [tuple(sorted(found, key=lambda each: each.name)) for _, found in sorted(per_trace.items())]
