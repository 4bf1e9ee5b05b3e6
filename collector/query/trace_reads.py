"""Reads of many traces in bounded memory: ids page by page, spans group by group."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from functools import partial

import pyarrow as pa

from exporters.jaeger.summaries import summarize_adjusted
from exporters.jaeger.transfers import FindTransfers, Transfers
from exporters.trace_summary import COLUMNS, TraceSummary
from storage.api import Storage
from storage.queries import TraceCursor, TraceMatch, TraceQuery

_IDS_A_PAGE = 1_000
_FIRST_GROUP = 32
_LARGEST_GROUP = 1_000
_SPANS_A_GROUP = 20_000  # some tens of megabytes as Python objects


def found_ids(storage: Storage, query: TraceQuery) -> Iterator[list[bytes]]:
    """Yield the ids of matching traces, newest first, `query.limit` in all."""
    left = query.limit
    while left > 0:
        page = storage.find_traces(replace(query, limit=min(left, _IDS_A_PAGE)))
        if page:
            yield [match.trace_id for match in page]
        if len(page) < _IDS_A_PAGE:
            return
        left -= len(page)
        query = replace(query, after=_after(page[-1]))


def span_tables(storage: Storage, ids: Sequence[bytes], columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Yield the spans of whole traces in tables of a bounded size, traces in the order of `ids`.

    A single trace is never split, however large it is.
    """
    return (spans for spans, _ in _grouped(ids, lambda some: (storage.get_traces(some, columns), {})))


def adjusted_summaries(
    storage: Storage, ids: Sequence[bytes], max_clock_skew_ns: int = 0
) -> Iterator[list[TraceSummary]]:
    """Yield the summaries of traces as Jaeger adjusts them, in the order of `ids`, in lists of a bounded size.

    In traces of more than 20,000 spans copies count, and clocks stay.
    """
    read = partial(span_tables, storage)
    for spans in span_tables(storage, ids, COLUMNS):
        yield summarize_adjusted(spans, read, max_clock_skew_ns, _SPANS_A_GROUP)


def spans_with_transfers(
    storage: Storage, ids: Sequence[bytes], find: FindTransfers | None
) -> Iterator[tuple[pa.Table, Transfers]]:
    """Yield what `span_tables` does, with the agent transfers of the same traces: looked up while spans are read."""
    if find is None:
        return ((spans, {}) for spans in span_tables(storage, ids))

    def read(some: Sequence[bytes]) -> tuple[pa.Table, Transfers]:
        with ThreadPoolExecutor(1) as beside:
            transfers = beside.submit(copy_context().run, find, some)
            return storage.get_traces(some), transfers.result()

    return _grouped(ids, read)


def _grouped(
    ids: Sequence[bytes], read: Callable[[Sequence[bytes]], tuple[pa.Table, Transfers]]
) -> Iterator[tuple[pa.Table, Transfers]]:
    at, group = 0, _FIRST_GROUP
    while at < len(ids):
        table, transfers = read(ids[at : at + group])
        at += group
        if table.num_rows:
            yield table, transfers
        spans_a_trace = max(1, table.num_rows // group)
        group = min(max(_SPANS_A_GROUP // spans_a_trace, 1), _LARGEST_GROUP)


def _after(match: TraceMatch) -> TraceCursor:
    return TraceCursor(match.newest_match_unix_nano, match.trace_id)
