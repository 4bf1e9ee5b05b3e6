"""TraceQL searches over storage: which traces, and which of their spans to show."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from collector.query.jaeger_grpc.reads import found_ids, span_tables
from collector.query.parse.regexes import regex_matches
from collector.query.tempo.conditions import TraceCondition
from collector.query.tempo.fields import Attribute, TraceFact
from collector.query.tempo.matching import matches
from collector.query.tempo.traceql import Selection
from exporters.otlp.json_values import attributes_json
from exporters.rows import SpanRow, by_trace, read_spans
from exporters.trace_summary import TraceSummary, summarize
from storage.api import Storage
from storage.queries import AllOf, FieldCondition, Filter, Level, Not, Op, SpanField, TimeRange, TraceQuery

# With conditions on the whole trace, which storage cannot ask for, this many candidates are looked at.
MAX_SCANNED = 2_000

_NO_ROOT = "<root span not yet received>"
_IS_ROOT = Not(FieldCondition(SpanField.PARENT_SPAN_ID, Op.EXISTS))
_ROOT_FIELDS = {TraceFact.ROOT_NAME: SpanField.NAME, TraceFact.ROOT_SERVICE: SpanField.SERVICE}


@dataclass(frozen=True, slots=True)
class TempoSearch:
    """A search: at most `limit` traces, with at most `spans_a_set` matching spans of each."""

    selection: Selection
    time: TimeRange
    limit: int = 20
    spans_a_set: int = 3


def search(storage: Storage, asked: TempoSearch) -> list[dict[str, Any]]:
    """Return the traces as Tempo's search answers them, newest first."""
    found: list[dict[str, Any]] = []
    for spans in _candidates(storage, asked):
        summaries = [each for each in summarize(spans) if _holds(asked.selection.trace, each)]
        kept = spans.filter(pc.is_in(spans["trace_id"], pa.array([each.trace_id for each in summaries], pa.binary(16))))
        for summary, rows in zip(summaries, by_trace(read_spans(kept)), strict=True):
            found.append(_trace(summary, rows, asked))
            if len(found) == asked.limit:
                return found
    return found


def _candidates(storage: Storage, asked: TempoSearch) -> Iterator[pa.Table]:
    selection = asked.selection
    query = _hoisted(
        TraceQuery(asked.time, filter=_span_filter(selection), limit=MAX_SCANNED if selection.trace else asked.limit)
    )
    for ids in found_ids(storage, query):
        yield from span_tables(storage, ids)


def _span_filter(selection: Selection) -> Filter:
    """Return the filter; when only the root is asked for, the root is the span to look for."""
    roots = [each for each in selection.trace if each.fact in _ROOT_FIELDS and each.operator in {"=", "=~"}]
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


def _holds(conditions: Sequence[TraceCondition], summary: TraceSummary) -> bool:
    return all(_condition_holds(condition, summary) for condition in conditions)


def _condition_holds(condition: TraceCondition, summary: TraceSummary) -> bool:
    if condition.fact is TraceFact.DURATION:
        duration, wanted = summary.end_unix_nano - summary.start_unix_nano, int(condition.value)
        orders = {"=": duration == wanted, "!=": duration != wanted, ">": duration > wanted}
        orders |= {">=": duration >= wanted, "<": duration < wanted, "<=": duration <= wanted}
        return orders[condition.operator]
    text = {
        TraceFact.ROOT_NAME: summary.root_name or "",
        TraceFact.ROOT_SERVICE: summary.root_service or "",
        TraceFact.ID: summary.trace_id.hex(),
    }[condition.fact]
    if condition.operator in {"=", "!="}:
        return (text == condition.value) == (condition.operator == "=")
    return (regex_matches(condition.value, text)) == (condition.operator == "=~")


def _trace(summary: TraceSummary, rows: list[SpanRow], asked: TempoSearch) -> dict[str, Any]:
    matched = [row for row in rows if matches(asked.selection.filter, row)]
    span_set = {
        "spans": [_span(row, asked.selection.shown) for row in matched[: asked.spans_a_set]],
        "matched": len(matched),
    }
    return {
        "traceID": summary.trace_id.hex(),
        "rootServiceName": _NO_ROOT if summary.root_service is None else summary.root_service,
        "rootTraceName": "" if summary.root_name is None else summary.root_name,
        "startTimeUnixNano": str(summary.start_unix_nano),
        "durationMs": (summary.end_unix_nano - summary.start_unix_nano) // 10**6,
        "spanSet": span_set,
        "spanSets": [span_set],
        "serviceStats": {
            service.name: {"spanCount": service.span_count}
            | ({"errorCount": service.error_count} if service.error_count else {})
            for service in summary.services
        },
    }


def _span(row: SpanRow, shown: Sequence[Attribute]) -> dict[str, Any]:
    wanted = {(level, each.key) for each in shown for level in each.levels}
    found = {
        key: (key, letter, value)
        for level, attributes in ((Level.RESOURCE, row.resource.attributes), (Level.ITEM, row.attributes))
        for key, letter, value in attributes
        if (level, key) in wanted
    }
    return {
        "spanID": row.span_id.hex(),
        "name": row.name,
        "startTimeUnixNano": str(row.start_time_unix_nano),
        "durationNanos": str(max(row.duration_ns, 0)),
        "attributes": attributes_json(list(found.values())),
    }
