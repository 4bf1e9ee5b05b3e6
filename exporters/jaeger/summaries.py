"""Trace summaries as Jaeger computes them: of adjusted spans. Only of traces that adjusters may change more is read.

Source: jaeger `jaegerquery/querysvc/summary.go`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from exporters.columns import values
from exporters.jaeger.adjust import adjusted
from exporters.rows import SpanRow, by_trace, read_spans
from exporters.trace_summary import COLUMNS, TraceSummary, summarize
from storage.schemas import SPANS

# Reads traces with the named columns, or all, in tables of a bounded size.
ReadTraces = Callable[[Sequence[bytes], Sequence[str] | None], Iterable[pa.Table]]

_NARROW = pa.schema([SPANS.field(name) for name in COLUMNS])
_SERVER, _CLIENT = 2, 3


def summarize_adjusted(
    spans: pa.Table, read: ReadTraces, max_clock_skew_ns: int = 0, max_spans: int = 0
) -> list[TraceSummary]:
    """Return one summary per trace, in the table's order: of the spans as `adjusted` leaves them.

    Shape: as for `summarize`, whose cost this has unless spans of a trace share an id or, with `max_clock_skew_ns`,
    lie outside their parents. A trace of more than `max_spans` (0: no limit) is not read with all its columns: copies
    in it count, and its clocks stay.
    """
    stored = summarize(spans)
    shared, whole = _with_shared_ids(spans), set()
    if max_clock_skew_ns:
        whole = shared | _with_misfits(spans)
    changed: dict[bytes, TraceSummary] = {}
    if shared:
        for table in read([each.trace_id for each in stored if each.trace_id in shared], (*COLUMNS, "kind")):
            changed |= {each.trace_id: each for each in summarize(_servers_below_clients(table))}
            whole |= _with_copies(table)
    wanted = [each.trace_id for each in stored if each.trace_id in whole and not 0 < max_spans < each.span_count]
    for table in read(wanted, None) if wanted else ():
        for rows in by_trace(read_spans(table)):
            (summary,) = summarize(_narrow(adjusted(rows, max_clock_skew_ns)))
            changed[summary.trace_id] = summary
    return [changed.get(each.trace_id, each) for each in stored]


def _with_shared_ids(spans: pa.Table) -> set[bytes]:
    """Return the traces in which several spans have one id."""
    counts = spans.group_by(["trace_id", "span_id"]).aggregate([([], "count_all")])
    return set(counts["trace_id"].filter(pc.greater(counts["count_all"], 1)).to_pylist())


def _servers_below_clients(spans: pa.Table) -> pa.Table:
    """Give server spans that share a client's id a parent that is there: their own id does as well as the client's."""
    ids = list(zip(values(spans["trace_id"]), values(spans["span_id"]), strict=True))
    kinds = values(spans["kind"])
    clients = {each for each, kind in zip(ids, kinds, strict=True) if kind == _CLIENT}
    parents = [
        each[1] if kind == _SERVER and each in clients else parent
        for each, kind, parent in zip(ids, kinds, values(spans["parent_span_id"]), strict=True)
    ]
    at = spans.schema.get_field_index("parent_span_id")
    return spans.set_column(at, spans.schema.field(at), pa.array(parents, pa.binary()))


def _with_copies(spans: pa.Table) -> set[bytes]:
    """Return the traces with spans that are equal in all these columns: one may be a copy, which is dropped."""
    counts = Counter(zip(*map(values, spans.columns), strict=True))
    trace_ids = spans.schema.get_field_index("trace_id")
    return {content[trace_ids] for content, count in counts.items() if count > 1}


def _with_misfits(spans: pa.Table) -> set[bytes]:
    """Return the traces in which a span starts before its parent or ends after it: clocks may need a correction."""
    times = ("start_time_unix_nano", "duration_ns")
    children = spans.select(["trace_id", "parent_span_id", *times])
    children = children.filter(pc.equal(pc.binary_length(children["parent_span_id"]), 8))
    parent_ids = children["parent_span_id"].cast(pa.binary(8))
    children = children.set_column(1, "span_id", parent_ids)
    pairs = children.join(
        spans.select(["trace_id", "span_id", *times]), ["trace_id", "span_id"], join_type="inner", right_suffix="_above"
    )
    start, start_above, duration, duration_above = (
        pairs[name].to_numpy()
        for name in ("start_time_unix_nano", "start_time_unix_nano_above", "duration_ns", "duration_ns_above")
    )
    # As doubles only where it is harmless: differences are exact below a hundred days.
    late = (start - start_above).astype(np.float64) > duration_above.astype(np.float64) - duration
    return set(pairs["trace_id"].filter(pa.array((start < start_above) | late)).to_pylist())


def _narrow(rows: list[SpanRow]) -> pa.Table:
    """Return the rows of one trace as a table to summarize: a correction may have changed their order."""
    rows = sorted(rows, key=attrgetter("start_time_unix_nano"))
    columns = [pa.array([getattr(row, field.name) for row in rows], field.type) for field in _NARROW]
    return pa.table(columns, schema=_NARROW)
