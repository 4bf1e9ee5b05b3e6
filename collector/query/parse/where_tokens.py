"""The words, texts and signs of a `where` expression."""

import re
from dataclasses import dataclass
from enum import Enum, auto

from collector.query.parse.errors import ParseError


class Kind(Enum):
    """What a token is."""

    WORD = auto()  # a key, a keyword or an unquoted value
    TEXT = auto()  # quoted
    SIGN = auto()  # a comparison, && or ||
    OPEN = auto()
    CLOSE = auto()
    END = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """One token; `text` is unescaped, `position` counts characters from 0, `end` is just behind it."""

    kind: Kind
    text: str
    position: int
    end: int

    def is_word(self, *keywords: str) -> bool:
        """Whether this is one of the keywords, in any case, unquoted."""
        return self.kind is Kind.WORD and self.text.lower() in keywords


_TOKEN = re.compile(
    r"""\s*(?:
        (?P<OPEN>\() | (?P<CLOSE>\)) |
        (?P<SIGN>&&|\|\||=~|==|!=|>=|<=|=|>|<) |
        (?P<TEXT>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`) |
        (?P<WORD>[^\s()"'`=!<>&|]+)
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}


def tokens(expression: str) -> list[Token]:
    """Return all tokens and one END; raise ParseError at the first character that starts none."""
    found: list[Token] = []
    at = 0
    length = len(expression.rstrip())
    while at < length:
        match = _TOKEN.match(expression, at)
        if match is None or match.lastgroup is None:
            position = at + len(expression[at:]) - len(expression[at:].lstrip())
            character = expression[position]
            reason = "a quote that is not closed" if character in "\"'`" else f"unexpected {character!r}"
            raise ParseError(reason, position)
        kind = Kind[match.lastgroup]
        text = match[match.lastgroup]
        found.append(Token(kind, _unquote(text) if kind is Kind.TEXT else text, match.end() - len(text), match.end()))
        at = match.end()
    found.append(Token(Kind.END, "", len(expression), len(expression)))
    return found


def _unquote(text: str) -> str:
    inner = text[1:-1]
    return inner if text[0] == "`" else _ESCAPE.sub(_unescape, inner)


def _unescape(match: re.Match[str]) -> str:
    code = match[1]
    if len(code) == 5:
        character = chr(int(code[1:], 16))
        return "\ufffd" if "\ud800" <= character <= "\udfff" else character
    return _ESCAPED.get(code, code)
