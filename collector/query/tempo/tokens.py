"""The words, texts and signs of TraceQL."""

import re
from dataclasses import dataclass
from enum import Enum, auto

from collector.query.parse.errors import ParseError


class Kind(Enum):
    """What a token is."""

    FIELD = auto()  # an attribute with its scope (`span.http.route`), an intrinsic, or a keyword
    TEXT = auto()  # quoted
    NUMBER = auto()  # 1, -1.5, 10ms
    SIGN = auto()
    END = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """One token; `text` is unescaped, `position` counts characters from 0."""

    kind: Kind
    text: str
    position: int


_TOKEN = re.compile(
    r"""(?:
        (?P<NUMBER>-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?:[a-zµμ]+[0-9.a-zµμ]*)?) |
        (?P<TEXT>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`) |
        (?P<SIGN>&&|\|\||=~|!~|!=|>=|<=|[=><!{}()|,]) |
        (?P<FIELD>(?:[^\s"'`{}()=~!<>&|,]|"(?:[^"\\]|\\.)*")+)
    )""",
    re.VERBOSE | re.DOTALL,
)
_SPACE = re.compile(r"(?:\s+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)  # and comments
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r"}
_QUOTED_PART = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)


def tokens(query: str) -> list[Token]:
    """Return all tokens and one END; raise ParseError at the first character that starts none."""
    found: list[Token] = []
    at = _skipped(query, 0)
    while at < len(query):
        match = _TOKEN.match(query, at)
        if match is None or match.lastgroup is None:
            reason = "a quote that is not closed" if query[at] in "\"'`" else f"unexpected {query[at]!r}"
            raise ParseError(reason, at)
        kind = Kind[match.lastgroup]
        found.append(Token(kind, _read(kind, match[match.lastgroup]), at))
        at = _skipped(query, match.end())
    found.append(Token(Kind.END, "", len(query)))
    return found


def _skipped(query: str, at: int) -> int:
    match = _SPACE.match(query, at)
    return at if match is None else match.end()


def _read(kind: Kind, text: str) -> str:
    if kind is Kind.TEXT:
        return text[1:-1] if text[0] == "`" else unescaped(text[1:-1])
    if kind is Kind.FIELD:  # span."key with spaces"
        return _QUOTED_PART.sub(lambda part: unescaped(part[1]), text)
    return text


def unescaped(text: str) -> str:
    """Return the text of a quoted one."""
    return _ESCAPE.sub(_unescape, text)


def _unescape(match: re.Match[str]) -> str:
    code = match[1]
    if len(code) == 5:
        character = chr(int(code[1:], 16))
        return "\ufffd" if "\ud800" <= character <= "\udfff" else character
    return _ESCAPED.get(code, code)
