"""What the Tempo routes are asked, read into a search."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from collector.query.parse.durations import parse_duration
from collector.query.parse.errors import ParseError
from collector.query.parse.numbers import parse_count
from collector.query.ranges import EVERYTHING
from collector.query.tempo.errors import BadParameter
from collector.query.tempo.fields import SERVICE_NAME, TraceFact
from collector.query.tempo.logfmt import parse_logfmt
from collector.query.tempo.search import TempoSearch
from collector.query.tempo.trace_tests import AllHold, TraceCondition
from collector.query.tempo.traceql import Selection, parse_traceql
from exporters.jaeger.search import tags_filter
from storage.queries import AllOf, FieldCondition, Filter, Op, SpanField, TimeRange

_Parsed = TypeVar("_Parsed")

MAX_TRACES = 1_000
MAX_SPANS_A_SET = 100
_SECOND = 10**9
_FIELDS = {"name": SpanField.NAME, SERVICE_NAME: SpanField.SERVICE, "status.message": SpanField.STATUS_MESSAGE}


def read_search(parameters: Mapping[str, str]) -> TempoSearch:
    """Return the search. Raises: BadParameter."""
    query = parameters.get("q", "")
    time = _range(parameters)
    limit = _number(parameters, "limit", 20, MAX_TRACES)
    spans = _number(parameters, "spss", 3, MAX_SPANS_A_SET)
    selection = _parsed("q", parse_traceql, query) if query else _legacy(parameters)
    return TempoSearch(selection, time, limit, spans)


def read_limit(parameters: Mapping[str, str], maximum: int) -> int:
    """Return how many names are wanted; 0, Tempo's "no limit", means the most there is."""
    return _number(parameters, "limit", maximum, maximum, at_least=0) or maximum


def described(parameter: str, error: ParseError) -> BadParameter:
    """Return the error with the parameter's name and the position."""
    where = "" if error.position is None else f" at position {error.position}"
    return BadParameter(f"invalid {parameter}{where}: {error}")


def _range(parameters: Mapping[str, str]) -> TimeRange:
    start = _number(parameters, "start", 0, EVERYTHING.end // _SECOND, at_least=0)
    end = _number(parameters, "end", 0, EVERYTHING.end // _SECOND, at_least=0)
    if end and start >= end:
        raise BadParameter(f"http parameter start must be before end. received start={start} end={end}")
    return TimeRange(start * _SECOND, end * _SECOND if end else EVERYTHING.end)


def _legacy(parameters: Mapping[str, str]) -> Selection:
    """Return the selection of the older search: `tags` in logfmt, and the duration of the trace."""
    tags = _parsed("tags", parse_logfmt, parameters.get("tags", ""))
    fields: list[Filter] = [FieldCondition(_FIELDS[key], Op.EQ, text) for key, text in tags.items() if key in _FIELDS]
    others = tags_filter({key: text for key, text in tags.items() if key not in _FIELDS})
    trace = tuple(
        TraceCondition(TraceFact.DURATION, operator, str(_parsed(name, parse_duration, parameters[name])))
        for name, operator in (("minDuration", ">="), ("maxDuration", "<="))
        if parameters.get(name)
    )
    return Selection(AllOf((*fields, *([others] if others else []))), AllHold(trace))


def _parsed(name: str, parse: Callable[[str], _Parsed], text: str) -> _Parsed:
    try:
        return parse(text)
    except ParseError as error:
        raise described(name, error) from error


def _number(parameters: Mapping[str, str], name: str, default: int, maximum: int, at_least: int = 1) -> int:
    text = parameters.get(name, "")
    if not text:
        return default
    number = _parsed(name, parse_count, text)
    if number < at_least:
        raise BadParameter(f"invalid {name}: must be a positive number")
    return min(number, maximum)
