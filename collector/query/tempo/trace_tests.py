"""Conditions on whole traces, which storage cannot ask for: joined in any way, and decided from a trace's summary."""

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from collector.query.parse.regexes import regex_matches
from collector.query.tempo.fields import TraceFact
from exporters.trace_summary import TraceSummary


@dataclass(frozen=True, slots=True)
class TraceCondition:
    """A condition on a whole trace. `value` is nanoseconds, or the text to compare with."""

    fact: TraceFact
    operator: str
    value: str


@dataclass(frozen=True, slots=True)
class AllHold:
    """True when every part is; true when empty."""

    parts: tuple["TraceTest", ...]


@dataclass(frozen=True, slots=True)
class OneHolds:
    """True when one part is."""

    parts: tuple["TraceTest", ...]


@dataclass(frozen=True, slots=True)
class DoesNotHold:
    """True when the part is not."""

    part: "TraceTest"


TraceTest: TypeAlias = TraceCondition | AllHold | OneHolds | DoesNotHold
ALWAYS = AllHold(())

_ORDERS: Mapping[str, Callable[[int, int], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


def holds(test: TraceTest, summary: TraceSummary) -> bool:
    """Tell whether a trace passes the test."""
    match test:
        case AllHold(parts):
            return all(holds(part, summary) for part in parts)
        case OneHolds(parts):
            return any(holds(part, summary) for part in parts)
        case DoesNotHold(part):
            return not holds(part, summary)
        case TraceCondition():
            return _condition_holds(test, summary)


def required(test: TraceTest) -> Iterator[TraceCondition]:
    """Yield the conditions that every trace that passes the test satisfies, as far as they are plain to see."""
    match test:
        case TraceCondition():
            yield test
        case AllHold(parts):
            for part in parts:
                yield from required(part)


def _condition_holds(condition: TraceCondition, summary: TraceSummary) -> bool:
    if condition.fact is TraceFact.DURATION:
        return _ORDERS[condition.operator](summary.end_unix_nano - summary.start_unix_nano, int(condition.value))
    text = {
        TraceFact.ROOT_NAME: summary.root_name or "",
        TraceFact.ROOT_SERVICE: summary.root_service or "",
    }[condition.fact]
    if condition.operator in {"=", "!="}:
        return (text == condition.value) == (condition.operator == "=")
    return (regex_matches(condition.value, text)) == (condition.operator == "=~")
