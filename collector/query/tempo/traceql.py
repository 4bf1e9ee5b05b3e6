"""TraceQL with one span set: `{ resource.service.name = "x" && (name =~ "GET.*" || duration > 1s) } | select(.a)`.

    query = "{", [ any ], "}", [ "|", "select", "(", field, { ",", field }, ")" ], [ "with", "(", … , ")" ]
    any   = all, { "||", all }
    all   = part, { "&&", part }
    part  = "!", part | "(", any, ")" | "true" | "false" | field, operator, value

Facts about the whole trace (rootName, traceDuration …) are joined with conditions on the span by && only.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from collector.query.parse.bounds import Bounds
from collector.query.parse.errors import ParseError
from collector.query.tempo.conditions import OPERATORS, span_condition, trace_condition
from collector.query.tempo.fields import Attribute, Intrinsic, TraceFact, target
from collector.query.tempo.tokens import Kind, Token, tokens
from collector.query.tempo.trace_tests import ALWAYS, AllHold, DoesNotHold, OneHolds, TraceTest
from storage.queries import AllOf, AnyOf, FieldCondition, Filter, Not, Op, SpanField

_Asked = TypeVar("_Asked")

_EVERYTHING, _NOTHING = AllOf(()), AnyOf(())
_IS_ROOT = Not(FieldCondition(SpanField.PARENT_SPAN_ID, Op.EXISTS))
_ROOT_FIELD = "nestedSetParent"  # Tempo's own numbering; only "< 0", which means a root span, is asked for


@dataclass(frozen=True, slots=True)
class Selection:
    """What a query asks for: one span that satisfies `filter`, in a trace that passes `trace`.

    `shown` are the attributes and fields that the query names, to be answered with each span.
    """

    filter: Filter
    trace: TraceTest = ALWAYS
    shown: tuple[Attribute | Intrinsic, ...] = ()


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a query: what it asks of the span and what of the trace, both together; None is nothing."""

    span: Filter | None = None
    trace: TraceTest | None = None


def _all_of(parts: Sequence[_Part]) -> _Part:
    if len(parts) == 1:
        return parts[0]
    spans = tuple(part.span for part in parts if part.span is not None)
    traces = tuple(part.trace for part in parts if part.trace is not None)
    return _Part(_one_or(AllOf, spans), _one_or(AllHold, traces))


def _one_or(join: Callable[[tuple[_Asked, ...]], _Asked], parts: tuple[_Asked, ...]) -> _Asked | None:
    return join(parts) if len(parts) > 1 else parts[0] if parts else None


def _any_of(parts: Sequence[_Part], position: int) -> _Part:
    spans = tuple(part.span for part in parts if part.span is not None)
    traces = tuple(part.trace for part in parts if part.trace is not None)
    if spans and traces:
        raise ParseError("what concerns the whole trace is joined with what concerns a span by && only", position)
    return _Part(span=AnyOf(spans)) if spans else _Part(trace=OneHolds(traces))


def _not(part: _Part, position: int) -> _Part:
    if part.span is not None and part.trace is not None:
        raise ParseError("! takes what concerns the whole trace, or what concerns a span, not both", position)
    return _Part(span=Not(part.span)) if part.span is not None else _Part(trace=DoesNotHold(part.trace or ALWAYS))


def parse_traceql(query: str) -> Selection:
    """Return the selection; raise ParseError with the position of the first mistake."""
    return _Parser(tokens(query)).query()


@dataclass
class _Parser:
    """Recursive descent over the tokens; bounded in depth and conditions."""

    found: list[Token]
    at: int = 0
    bounds: Bounds = field(default_factory=Bounds)
    shown: list[Attribute | Intrinsic] = field(default_factory=list)

    def query(self) -> Selection:
        self._expect("{", 'a span set in braces, such as { name = "GET /" }')
        found = _Part() if self._is("}") else self._any()
        self._expect("}", "&&, || or }")
        if self._is("|"):
            self._take()
            self._select()
        if self._next.text == "with":
            self._hints()
        if self._next.kind is not Kind.END:
            raise ParseError("only one span set is supported, with | select(…) behind it", self._next.position)
        return Selection(found.span or _EVERYTHING, found.trace or ALWAYS, tuple(dict.fromkeys(self.shown)))

    @property
    def _next(self) -> Token:
        return self.found[self.at]

    def _any(self) -> _Part:
        parts, position = [self._all()], self._next.position
        while self._is("||"):
            self._take()
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else _any_of(parts, position)

    def _all(self) -> _Part:
        parts = [self._part()]
        while self._is("&&"):
            self._take()
            parts.append(self._part())
        return _all_of(parts)

    def _part(self) -> _Part:
        if self._is("!"):
            position = self._take().position
            with self.bounds.nested(self._next.position):
                return _not(self._part(), position)
        if self._is("("):
            self._take()
            with self.bounds.nested(self._next.position):
                found = self._any()
            self._expect(")", "&&, || or )")
            return found
        return self._comparison()

    def _comparison(self) -> _Part:
        name = self._take()
        if name.kind is not Kind.FIELD:
            raise ParseError("expected a field such as .http.route or name", name.position)
        self.bounds.condition(name.position)
        if name.text in {"true", "false"} and self._next.text not in OPERATORS:
            return _Part(_EVERYTHING if name.text == "true" else _NOTHING)
        operator = self._take()
        if operator.kind is not Kind.SIGN or operator.text not in OPERATORS:
            raise ParseError(f"expected one of {', '.join(OPERATORS)}", operator.position)
        value = self._take()
        if value.kind not in {Kind.FIELD, Kind.TEXT, Kind.NUMBER}:
            raise ParseError("expected a value", value.position)
        return self._condition(name, operator, value)

    def _condition(self, name: Token, operator: Token, value: Token) -> _Part:
        if name.text == _ROOT_FIELD and (operator.text, value.text) in {("<", "0"), ("=", "-1")}:
            return _Part(_IS_ROOT)
        with _located(name):
            found = target(name.text)
        with _located(value):
            if isinstance(found, TraceFact):
                return _Part(trace=trace_condition(found, operator.text, value))
            self.shown.append(found)
            return _Part(span_condition(found, operator.text, value))

    def _select(self) -> None:
        function = self._take()
        if function.text != "select":
            raise ParseError("only select(…) is supported behind |", function.position)
        self._expect("(", "(")
        while True:
            name = self._take()
            if name.kind is not Kind.FIELD:
                raise ParseError("expected a field", name.position)
            self.bounds.condition(name.position)
            with _located(name):
                found = target(name.text)
            if not isinstance(found, TraceFact):
                self.shown.append(found)
            if not self._is(","):
                break
            self._take()
        self._expect(")", ", or )")

    def _hints(self) -> None:
        """Skip `with (most_recent=true)`: the newest traces come first anyway."""
        self._take()
        self._expect("(", "(")
        while not self._is(")"):
            token = self._take()
            if token.kind is Kind.END:
                raise ParseError("expected )", token.position)
        self._take()

    def _is(self, sign: str) -> bool:
        return self._next.kind is Kind.SIGN and self._next.text == sign

    def _expect(self, sign: str, expected: str) -> None:
        if not self._is(sign):
            raise ParseError(f"expected {expected}", self._next.position)
        self._take()

    def _take(self) -> Token:
        token = self.found[self.at]
        if token.kind is not Kind.END:
            self.at += 1
        return token


@contextmanager
def _located(token: Token) -> Iterator[None]:
    """Add the token's position to mistakes in it."""
    try:
        yield
    except ParseError as error:
        raise ParseError(str(error), token.position) from error
