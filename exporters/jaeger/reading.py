"""Whole traces as rows, with ids that clients can read and a limit on how many spans of one trace are shown.

Source of the warning: jaeger `internal/jptrace/aggregator.go` (max_trace_size).
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from exporters.jaeger.ids import readable_id
from exporters.jaeger.warnings import add_warning
from exporters.rows import SpanRow, by_trace, read_spans


def read_traces(spans: pa.Table, max_spans: int = 0) -> Iterator[list[SpanRow]]:
    """Yield the rows of each trace of a spans table whose rows are grouped by trace.

    Ids of parents and links are as `readable_id` makes them. Of a trace with more than `max_spans` (0: no limit) the
    first spans are given, with a warning on the very first.
    """
    table, cut = _first_spans(spans, max_spans)
    for rows in by_trace(read_spans(table)):
        for row in rows:
            row.parent_span_id = readable_id(row.parent_span_id, 8)
            for link in row.links:
                link.trace_id, link.span_id = readable_id(link.trace_id, 16), readable_id(link.span_id, 8)
        if rows[0].trace_id in cut:
            text = f"trace has more than {max_spans} spans, showing first {max_spans} spans only"
            add_warning(rows[0], text)
        yield rows


def _first_spans(spans: pa.Table, max_spans: int) -> tuple[pa.Table, frozenset[bytes]]:
    """Return the first spans of each trace, and the ids of traces that had more. Columnar: nothing large is built."""
    if not max_spans or spans.num_rows <= max_spans:
        return spans, frozenset()
    ids = spans["trace_id"].cast(pa.binary(16)).combine_chunks()
    words = np.frombuffer(ids.buffers()[1], np.uint64).reshape(-1, 2)[ids.offset : ids.offset + len(ids)]
    starts = np.flatnonzero(np.concatenate(([True], np.any(words[1:] != words[:-1], axis=1))))
    lengths = np.diff(np.append(starts, len(words)))
    cut = spans["trace_id"].take(pa.array(starts[lengths > max_spans])).to_pylist()
    position = np.arange(len(words)) - np.repeat(starts, lengths)
    return spans.filter(pa.array(position < max_spans)), frozenset(cut)
