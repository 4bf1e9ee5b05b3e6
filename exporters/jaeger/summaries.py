"""Trace summaries as Jaeger computes them: of adjusted spans. Only traces that adjusters may change are read whole.

Source: jaeger `jaegerquery/querysvc/summary.go`.
"""

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from exporters.jaeger.adjust import adjusted
from exporters.rows import SpanRow, by_trace, read_spans
from exporters.trace_summary import COLUMNS, TraceSummary, summarize
from storage.schemas import SPANS

# Reads whole traces with all their columns, in tables of a bounded size.
ReadTraces = Callable[[Sequence[bytes]], Iterable[pa.Table]]

_NARROW = pa.schema([SPANS.field(name) for name in COLUMNS])


def summarize_adjusted(
    spans: pa.Table, read: ReadTraces, max_clock_skew_ns: int = 0, max_spans: int = 0
) -> list[TraceSummary]:
    """Return one summary per trace, in the table's order: of the spans as `adjusted` leaves them.

    Shape: as for `summarize`, whose cost this has unless spans of a trace share an id or, with `max_clock_skew_ns`,
    lie outside their parents. A trace of more than `max_spans` (0: no limit) is summarized as it is stored.
    """
    stored = summarize(spans)
    changeable = _with_shared_ids(spans) | (_with_misfits(spans) if max_clock_skew_ns else set())
    wanted = [each.trace_id for each in stored if each.trace_id in changeable and not 0 < max_spans < each.span_count]
    changed: dict[bytes, TraceSummary] = {}
    for table in read(wanted) if wanted else ():
        for rows in by_trace(read_spans(table)):
            (summary,) = summarize(_narrow(adjusted(rows, max_clock_skew_ns)))
            changed[summary.trace_id] = summary
    return [changed.get(each.trace_id, each) for each in stored]


def _with_shared_ids(spans: pa.Table) -> set[bytes]:
    """Return the traces in which spans have one id: a server's may get its own, and copies are dropped."""
    counts = spans.group_by(["trace_id", "span_id"]).aggregate([([], "count_all")])
    return set(counts["trace_id"].filter(pc.greater(counts["count_all"], 1)).to_pylist())


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
