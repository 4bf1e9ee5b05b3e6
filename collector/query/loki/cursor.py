"""A place in a list of tokens."""

from collections.abc import Callable
from typing import TypeVar

from collector.query.loki.tokens import Kind, Token
from collector.query.parse.bounds import Bounds
from collector.query.parse.errors import ParseError

_Read = TypeVar("_Read")


class Cursor:
    """Moves over tokens, whose last one is END. `bounds` are those of the whole query."""

    def __init__(self, tokens: list[Token]) -> None:
        self.bounds = Bounds()
        self._tokens = tokens
        self._at = 0

    @property
    def next(self) -> Token:
        """The token that `take` returns."""
        return self._tokens[self._at]

    @property
    def behind(self) -> Token:
        """The token behind the next one."""
        return self._tokens[min(self._at + 1, len(self._tokens) - 1)]

    def take(self) -> Token:
        """Return the next token and move on; END stays."""
        token = self.next
        if token.kind is not Kind.END:
            self._at += 1
        return token

    def at(self, *signs: str) -> bool:
        """Tell whether the next token is one of the signs."""
        return self.next.kind is Kind.SIGN and self.next.text in signs

    def skip(self, sign: str) -> bool:
        """Move over a sign, if it is next."""
        found = self.at(sign)
        if found:
            self._at += 1
        return found

    def expect(self, sign: str) -> None:
        """Move over a sign; raise ParseError when it is not next."""
        if not self.skip(sign):
            raise ParseError(f"expected {sign}", self.next.position)

    def name(self) -> str:
        """Return the next name; raise ParseError when there is none."""
        token = self.take()
        if token.kind is not Kind.NAME:
            raise ParseError("expected a label name", token.position)
        return token.text

    def names(self, end: str) -> tuple[str, ...]:
        """Return names with commas between them, up to the sign `end`, where a comma may come last."""
        found = [self.name()]
        while self.skip(",") and not self.at(end):
            found.append(self.name())
        return tuple(found)


def attempt(token: Token, read: Callable[[str], _Read], expected: str) -> _Read:
    """Read a token's text; raise ParseError at its position."""
    try:
        return read(token.text)
    except ParseError as error:
        raise ParseError(str(error), token.position) from error
    except ValueError as error:
        raise ParseError(expected, token.position) from error
