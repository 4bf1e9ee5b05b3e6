"""The `where` expression: conditions on attributes and fields, joined by AND, OR, NOT and parentheses.

    expression = all, { "OR", all }
    all        = part, { "AND", part }
    part       = "NOT", part | "(", expression, ")" | "exists", "(", key, ")" | key, "exists" | key, operator, value
    operator   = "=" | "!=" | ">" | ">=" | "<" | "<=" | "contains" | "matches"
    key        = [ level, "." ], ( word | text ) | field

Keywords may be in any case. A quoted key is taken as it is; `resource."a b"` names a level and a quoted key.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from collector.query.parse.bounds import Bounds
from collector.query.parse.conditions import OPERATORS, Attribute, Field, compare, level, named
from collector.query.parse.errors import ParseError
from collector.query.parse.where_tokens import Kind, Token, tokens
from storage.queries import AllOf, AnyOf, Filter, Not, Op, Signal


def parse_where(signal: Signal, expression: str) -> Filter:
    """Return the filter; raise ParseError with the position of the first mistake."""
    parser = _Parser(signal, tokens(expression))
    found = parser.any_of()
    rest = parser.next
    if rest.kind is not Kind.END:
        raise ParseError("expected AND, OR or the end", rest.position)
    return found


class _Parser:
    """Recursive descent over the tokens; bounded in depth and conditions."""

    def __init__(self, signal: Signal, found: list[Token]) -> None:
        self._signal = signal
        self._tokens = found
        self._at = 0
        self._bounds = Bounds()

    @property
    def next(self) -> Token:
        return self._tokens[self._at]

    def any_of(self) -> Filter:
        parts = [self._all_of()]
        while self._skip("or", "||"):
            parts.append(self._all_of())
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _all_of(self) -> Filter:
        parts = [self._part()]
        while self._skip("and", "&&"):
            parts.append(self._part())
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _part(self) -> Filter:
        token = self.next
        if token.is_word("not") and self._tokens[self._at + 1].kind in {Kind.WORD, Kind.TEXT, Kind.OPEN}:
            self._take()
            with self._bounds.nested(self.next.position):
                return Not(self._part())
        if token.kind is Kind.OPEN:
            self._take()
            with self._bounds.nested(self.next.position):
                found = self.any_of()
            self._close()
            return found
        if token.is_word("exists") and self._tokens[self._at + 1].kind is Kind.OPEN:
            self._take()
            self._take()
            target = self._key()
            self._close()
            return compare(target, Op.EXISTS, "")
        return self._comparison()

    def _comparison(self) -> Filter:
        target = self._key()
        operator = self._take()
        if operator.is_word("exists"):
            return compare(target, Op.EXISTS, "")
        op = OPERATORS.get(operator.text.lower()) if operator.kind in {Kind.SIGN, Kind.WORD} else None
        if op is None:
            raise ParseError(f"expected a comparison ({', '.join(OPERATORS)}, exists)", operator.position)
        value = self._take()
        if value.kind not in {Kind.WORD, Kind.TEXT}:
            raise ParseError("expected a value", value.position)
        with _located(value):
            return compare(target, op, value.text)

    def _key(self) -> Attribute | Field:
        token = self._take()
        self._bounds.condition(token.position)
        if token.kind is Kind.TEXT:
            return Attribute(token.text)
        if token.kind is not Kind.WORD or token.is_word("and", "or"):
            raise ParseError("expected an attribute key or a field", token.position)
        if token.text.endswith(".") and self.next.kind is Kind.TEXT and self.next.position == token.end:
            found = level(self._signal, token.text[:-1])
            if found is None:
                raise ParseError(f"unknown level {token.text[:-1]!r}", token.position)
            return Attribute(self._take().text, found)
        with _located(token):
            return named(self._signal, token.text)

    def _close(self) -> None:
        token = self._take()
        if token.kind is not Kind.CLOSE:
            raise ParseError("expected )", token.position)

    def _skip(self, keyword: str, sign: str) -> bool:
        token = self.next
        if token.is_word(keyword) or (token.kind is Kind.SIGN and token.text == sign):
            self._at += 1
            return True
        return False

    def _take(self) -> Token:
        token = self._tokens[self._at]
        if token.kind is not Kind.END:
            self._at += 1
        return token


@contextmanager
def _located(token: Token) -> Iterator[None]:
    """Add the token's position to mistakes in it."""
    try:
        yield
    except ParseError as error:
        raise ParseError(str(error), token.position) from error
