"""TraceQL with one span set: `{ resource.service.name = "x" && (name =~ "GET.*" || duration > 1s) } | select(.a)`.

    query = "{", [ any ], "}", [ "|", "select", "(", field, { ",", field }, ")" ], [ "with", "(", … , ")" ]
    any   = all, { "||", all }
    all   = part, { "&&", part }
    part  = "!", part | "(", any, ")" | "true" | "false" | field, operator, value

Facts about the whole trace (rootName, traceDuration …) may be joined with && at the top level only.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from collector.query.parse.errors import ParseError
from collector.query.parse.where import MAX_CONDITIONS, MAX_DEPTH
from collector.query.tempo.conditions import OPERATORS, TraceCondition, span_condition, trace_condition
from collector.query.tempo.fields import Attribute, TraceFact, target
from collector.query.tempo.tokens import Kind, Token, tokens
from storage.queries import AllOf, AnyOf, FieldCondition, Filter, Not, Op, SpanField

_EVERYTHING, _NOTHING = AllOf(()), AnyOf(())
_IS_ROOT = Not(FieldCondition(SpanField.PARENT_SPAN_ID, Op.EXISTS))
_ROOT_FIELD = "nestedSetParent"  # Tempo's own numbering; only "< 0", which means a root span, is asked for


@dataclass(frozen=True, slots=True)
class Selection:
    """What a query asks for: one span that satisfies `filter`, in a trace that satisfies `trace`.

    `shown` are the attributes that the query names, to be answered with each span.
    """

    filter: Filter
    trace: tuple[TraceCondition, ...] = ()
    shown: tuple[Attribute, ...] = ()


def parse_traceql(query: str) -> Selection:
    """Return the selection; raise ParseError with the position of the first mistake."""
    return _Parser(tokens(query)).query()


@dataclass
class _Parser:
    """Recursive descent over the tokens; bounded in depth and conditions."""

    found: list[Token]
    at: int = 0
    conditions: int = 0
    trace: list[TraceCondition] = field(default_factory=list)
    shown: list[Attribute] = field(default_factory=list)

    def query(self) -> Selection:
        self._expect("{", 'a span set in braces, such as { name = "GET /" }')
        found: Filter = _EVERYTHING if self._is("}") else self._any(0)
        self._expect("}", "&&, || or }")
        if self._is("|"):
            self._take()
            self._select()
        if self._next.text == "with":
            self._hints()
        if self._next.kind is not Kind.END:
            raise ParseError("only one span set is supported, with | select(…) behind it", self._next.position)
        return Selection(found, tuple(self.trace), tuple(dict.fromkeys(self.shown)))

    @property
    def _next(self) -> Token:
        return self.found[self.at]

    def _any(self, depth: int) -> Filter:
        parts = [self._all(depth)]
        while self._is("||"):
            sign = self._take()
            parts.append(self._all(depth))
            if self.trace:
                raise ParseError("what concerns the whole trace can only be joined with &&", sign.position)
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _all(self, depth: int) -> Filter:
        parts = [self._part(depth)]
        while self._is("&&"):
            self._take()
            parts.append(self._part(depth))
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _part(self, depth: int) -> Filter:
        if depth > MAX_DEPTH:
            raise ParseError(f"nested deeper than {MAX_DEPTH} levels", self._next.position)
        if self._is("!"):
            self._take()
            return Not(self._part(depth + 1))
        if self._is("("):
            self._take()
            found = self._any(depth + 1)
            self._expect(")", "&&, || or )")
            return found
        return self._comparison(depth)

    def _comparison(self, depth: int) -> Filter:
        name = self._take()
        if name.kind is not Kind.FIELD:
            raise ParseError("expected a field such as .http.route or name", name.position)
        if name.text in {"true", "false"} and self._next.text not in OPERATORS:
            return _EVERYTHING if name.text == "true" else _NOTHING
        self.conditions += 1
        if self.conditions > MAX_CONDITIONS:
            raise ParseError(f"more than {MAX_CONDITIONS} conditions", name.position)
        operator = self._take()
        if operator.kind is not Kind.SIGN or operator.text not in OPERATORS:
            raise ParseError(f"expected one of {', '.join(OPERATORS)}", operator.position)
        value = self._take()
        if value.kind not in {Kind.FIELD, Kind.TEXT, Kind.NUMBER}:
            raise ParseError("expected a value", value.position)
        return self._condition(depth, name, operator, value)

    def _condition(self, depth: int, name: Token, operator: Token, value: Token) -> Filter:
        if name.text == _ROOT_FIELD and (operator.text, value.text) in {("<", "0"), ("=", "-1")}:
            return _IS_ROOT
        with _located(name):
            found = target(name.text)
        if isinstance(found, TraceFact):
            if depth:
                raise ParseError("what concerns the whole trace can only be joined with && at the top", name.position)
            with _located(value):
                self.trace.append(trace_condition(found, operator.text, value))
            return _EVERYTHING
        if isinstance(found, Attribute):
            self.shown.append(found)
        with _located(value):
            return span_condition(found, operator.text, value)

    def _select(self) -> None:
        function = self._take()
        if function.text != "select":
            raise ParseError("only select(…) is supported behind |", function.position)
        self._expect("(", "(")
        while True:
            name = self._take()
            if name.kind is not Kind.FIELD:
                raise ParseError("expected a field", name.position)
            with _located(name):
                found = target(name.text)
            if isinstance(found, Attribute):
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
