"""The words, texts and signs of LogQL."""

import re
from dataclasses import dataclass
from enum import Enum, auto

from collector.query.parse.errors import ParseError


class Kind(Enum):
    """What a token is."""

    NAME = auto()
    TEXT = auto()  # quoted
    NUMBER = auto()  # 1, 0.5, 5m, 250ms
    SIGN = auto()
    END = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """One token; `text` is unescaped, `position` counts characters from 0."""

    kind: Kind
    text: str
    position: int


_TOKEN = re.compile(
    r"""\s*(?:
        (?P<TEXT>"(?:[^"\\]|\\.)*"|`[^`]*`) |
        (?P<NUMBER>-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?:[a-zµμA-Z]+[0-9.a-zµμ]*)?) |
        (?P<SIGN>\|=|\|~|\|>|!>|!=|!~|=~|==|>=|<=|[-=><{}()\[\],|+*/%^]) |
        (?P<NAME>[A-Za-z_:][\w:.]*)
    )""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_COMMENT = re.compile(r"""("(?:[^"\\]|\\.)*"|`[^`]*`)|#[^\n]*""", re.DOTALL)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r"}


def tokens(query: str) -> list[Token]:
    """Return all tokens and one END; raise ParseError at the first character that starts none."""
    # Comments become spaces, so that positions stay what they are.
    query = _COMMENT.sub(lambda found: found[0] if found[1] else " " * len(found[0]), query)
    found: list[Token] = []
    at, end = 0, len(query.rstrip())
    while at < end:
        match = _TOKEN.match(query, at)
        if match is None or match.lastgroup is None:
            position = at + len(query[at:]) - len(query[at:].lstrip())
            reason = "a quote that is not closed" if query[position] in '"`' else f"unexpected {query[position]!r}"
            raise ParseError(reason, position)
        kind, text = Kind[match.lastgroup], match[match.lastgroup]
        found.append(Token(kind, unquoted(text) if kind is Kind.TEXT else text, match.start(match.lastgroup)))
        at = match.end()
    found.append(Token(Kind.END, "", len(query)))
    return found


def unquoted(text: str) -> str:
    """Return what a quoted text says."""
    return text[1:-1] if text[0] == "`" else _ESCAPE.sub(_unescape, text[1:-1])


def _unescape(match: re.Match[str]) -> str:
    code = match[1]
    if len(code) > 1:
        character = chr(int(code[1:], 16))
        return "\ufffd" if "\ud800" <= character <= "\udfff" else character
    return _ESCAPED.get(code, code)
