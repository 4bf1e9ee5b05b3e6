"""What TraceQL's names stand for: attributes at a level, fields of the span, and facts about the whole trace."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from collector.query.parse.enums import KINDS, STATUSES
from collector.query.parse.errors import ParseError
from storage.queries import Level, SpanField

SERVICE_NAME = "service.name"

_SCOPES = {
    "": (Level.ITEM, Level.RESOURCE),
    "span": (Level.ITEM,),
    "resource": (Level.RESOURCE,),
    "event": (Level.EVENT,),
    "link": (Level.LINK,),
    "instrumentation": (Level.SCOPE,),
}
# Scopes in the order in which Tempo names them, with the level that holds their attributes.
SCOPE_LEVELS = {scope: levels[0] for scope, levels in _SCOPES.items() if scope}


class TraceFact(Enum):
    """What is true of a trace, not of one span."""

    ROOT_NAME = "rootName"
    ROOT_SERVICE = "rootServiceName"
    DURATION = "traceDuration"


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute, looked for at every one of the levels."""

    key: str
    levels: tuple[Level, ...]


@dataclass(frozen=True, slots=True)
class Intrinsic:
    """A field of the span; `words` are the names of its values where those are numbers to the store.

    `digits`: of an id, which may be written without the zeros in front.
    """

    field: SpanField
    words: tuple[str, ...] = ()
    digits: int = 0


Target: TypeAlias = Attribute | Intrinsic | TraceFact

_TRACE_ID, _SPAN_ID = 32, 16  # hexadecimal digits
_NAME = Intrinsic(SpanField.NAME)
_STATUS = Intrinsic(SpanField.STATUS, STATUSES)
_STATUS_MESSAGE = Intrinsic(SpanField.STATUS_MESSAGE)
_KIND = Intrinsic(SpanField.KIND, KINDS)
_DURATION = Intrinsic(SpanField.DURATION)

INTRINSICS: dict[str, Target] = {
    "name": _NAME,
    "status": _STATUS,
    "statusMessage": _STATUS_MESSAGE,
    "kind": _KIND,
    "duration": _DURATION,
    "rootName": TraceFact.ROOT_NAME,
    "rootServiceName": TraceFact.ROOT_SERVICE,
    "traceDuration": TraceFact.DURATION,
    "span:name": _NAME,
    "span:status": _STATUS,
    "span:statusMessage": _STATUS_MESSAGE,
    "span:kind": _KIND,
    "span:duration": _DURATION,
    "span:id": Intrinsic(SpanField.SPAN_ID, digits=_SPAN_ID),
    "span:parentID": Intrinsic(SpanField.PARENT_SPAN_ID, digits=_SPAN_ID),
    "trace:rootName": TraceFact.ROOT_NAME,
    "trace:rootService": TraceFact.ROOT_SERVICE,
    "trace:duration": TraceFact.DURATION,
    "trace:id": Intrinsic(SpanField.TRACE_ID, digits=_TRACE_ID),
    "event:name": Intrinsic(SpanField.EVENT_NAME),
    "event:timeSinceStart": Intrinsic(SpanField.EVENT_TIME_SINCE_START),
    "link:traceID": Intrinsic(SpanField.LINK_TRACE_ID, digits=_TRACE_ID),
    "link:spanID": Intrinsic(SpanField.LINK_SPAN_ID, digits=_SPAN_ID),
    "instrumentation:name": Intrinsic(SpanField.SCOPE_NAME),
    "instrumentation:version": Intrinsic(SpanField.SCOPE_VERSION),
}


def target(name: str) -> Target:
    """Return what a name stands for; raise ParseError without a position when nothing does."""
    if name in INTRINSICS:
        return INTRINSICS[name]
    scope, dot, key = name.partition(".")
    if not dot or scope not in _SCOPES:
        known = ", ".join(INTRINSICS)
        raise ParseError(f"unknown field {name!r}; write .key, span.key, resource.key …, or one of {known}")
    if not key:
        raise ParseError("the attribute key is empty")
    return Attribute(key, _SCOPES[scope])


def word_reader(words: tuple[str, ...]) -> Callable[[str], str]:
    """Return a function that reads one of the words into its number's text."""

    def read(text: str) -> str:
        if text not in words:
            raise ParseError(f"expected one of {', '.join(words)}")
        return str(words.index(text))

    return read
