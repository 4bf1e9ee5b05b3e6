"""TraceQL searches over storage: which traces, and which of their spans to show."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from collector.query.tempo.fields import TraceFact
from collector.query.tempo.matching import matches
from collector.query.tempo.shown import Shown, mixed_keys, shown_json, shown_values
from collector.query.tempo.trace_tests import ALWAYS, holds, required
from collector.query.tempo.traceql import Selection
from collector.query.trace_reads import found_ids, span_tables
from exporters.rows import SpanRow, by_trace, read_spans
from exporters.trace_summary import TraceSummary, summarize
from storage.api import Storage
from storage.queries import AllOf, FieldCondition, Filter, Not, Op, SpanField, TimeRange, TraceQuery

# With conditions on the whole trace, which storage cannot ask for, this many candidates are looked at.
MAX_SCANNED = 2_000

_NO_ROOT = "<root span not yet received>"
_LONGEST_MS = 2**32 - 1  # Tempo's field holds no more; Grafana refuses an answer with a larger number
_IS_ROOT = Not(FieldCondition(SpanField.PARENT_SPAN_ID, Op.EXISTS))
_ROOT_FIELDS = {TraceFact.ROOT_NAME: SpanField.NAME, TraceFact.ROOT_SERVICE: SpanField.SERVICE}


@dataclass(frozen=True, slots=True)
class TempoSearch:
    """A search: at most `limit` traces, with at most `spans_a_set` matching spans of each."""

    selection: Selection
    time: TimeRange
    limit: int = 20
    spans_a_set: int = 3


@dataclass(frozen=True, slots=True)
class _Found:
    """A trace that was found: the spans to show, of all that matched."""

    summary: TraceSummary
    spans: list[SpanRow]
    matched: int


def search(storage: Storage, asked: TempoSearch) -> list[dict[str, Any]]:
    """Return the traces as Tempo's search answers them, newest first."""
    return _answered(list(islice(_found(storage, asked), asked.limit)), asked.selection.shown)


def _found(storage: Storage, asked: TempoSearch) -> Iterator[_Found]:
    for spans in _candidates(storage, asked):
        summaries = [each for each in summarize(spans) if holds(asked.selection.trace, each)]
        kept = spans.filter(pc.is_in(spans["trace_id"], pa.array([each.trace_id for each in summaries], pa.binary(16))))
        for summary, rows in zip(summaries, by_trace(read_spans(kept)), strict=True):
            matched = [row for row in rows if matches(asked.selection.filter, row)]
            yield _Found(summary, matched[: asked.spans_a_set], len(matched))


def _candidates(storage: Storage, asked: TempoSearch) -> Iterator[pa.Table]:
    selection = asked.selection
    query = _hoisted(
        TraceQuery(
            asked.time, filter=_span_filter(selection), limit=asked.limit if selection.trace == ALWAYS else MAX_SCANNED
        )
    )
    for ids in found_ids(storage, query):
        yield from span_tables(storage, ids)


def _span_filter(selection: Selection) -> Filter:
    """Return the filter; when only the root is asked for, the root is the span to look for."""
    roots = [each for each in required(selection.trace) if each.fact in _ROOT_FIELDS and each.operator in {"=", "=~"}]
    if not roots or not _is_everything(selection.filter):
        return selection.filter
    ops = {"=": Op.EQ, "=~": Op.REGEX}
    fields = [FieldCondition(_ROOT_FIELDS[each.fact], ops[each.operator], each.value) for each in roots]
    return AllOf((_IS_ROOT, *fields))


def _is_everything(part: Filter) -> bool:
    return isinstance(part, AllOf) and all(map(_is_everything, part.parts))


def _hoisted(query: TraceQuery) -> TraceQuery:
    """Move the service's and the span's name out of the filter, to where engines look for them first."""
    parts = query.filter.parts if isinstance(query.filter, AllOf) else (query.filter,)
    names: dict[SpanField, str] = {}
    rest: list[Filter] = []
    for part in parts:
        match part:
            case FieldCondition(SpanField.SERVICE | SpanField.NAME as field, Op.EQ, value) if field not in names:
                names[field] = value
            case None:
                pass
            case _:
                rest.append(part)
    return replace(
        query,
        service_name=names.get(SpanField.SERVICE),
        span_name=names.get(SpanField.NAME),
        filter=AllOf(tuple(rest)) if rest else None,
    )


def _answered(found: Sequence[_Found], shown: Sequence[Shown]) -> list[dict[str, Any]]:
    values = [[shown_values(row, shown) for row in each.spans] for each in found]
    as_texts = mixed_keys(chain.from_iterable(chain.from_iterable(values)))
    return [
        _trace(each, [_span(row, shown_json(pairs, as_texts)) for row, pairs in zip(each.spans, of_trace, strict=True)])
        for each, of_trace in zip(found, values, strict=True)
    ]


def _trace(found: _Found, spans: list[dict[str, Any]]) -> dict[str, Any]:
    summary = found.summary
    span_set = {"spans": spans, "matched": found.matched}
    return {
        "traceID": summary.trace_id.hex(),
        "rootServiceName": _NO_ROOT if summary.root_service is None else summary.root_service,
        "rootTraceName": "" if summary.root_name is None else summary.root_name,
        "startTimeUnixNano": str(summary.start_unix_nano),
        "durationMs": min((summary.end_unix_nano - summary.start_unix_nano) // 10**6, _LONGEST_MS),
        "spanSet": span_set,
        "spanSets": [span_set],
        "serviceStats": {
            service.name: {"spanCount": service.span_count}
            | ({"errorCount": service.error_count} if service.error_count else {})
            for service in summary.services
        },
    }


def _span(row: SpanRow, attributes: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "spanID": row.span_id.hex(),
        "name": row.name,
        "startTimeUnixNano": str(row.start_time_unix_nano),
        "durationNanos": str(max(row.duration_ns, 0)),
        "attributes": attributes,
    }
