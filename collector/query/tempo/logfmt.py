"""`key=value key2="value 2"`: the older search's tags."""

import re

from collector.query.parse.bounds import Bounds
from collector.query.parse.errors import ParseError
from collector.query.tempo.tokens import unescaped

_PAIR = re.compile(r'\s*([^\s="]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*))(?=\s|$)', re.DOTALL)


def parse_logfmt(text: str) -> dict[str, str]:
    """Return the pairs; raise ParseError at the first text that is none."""
    found: dict[str, str] = {}
    bounds = Bounds()
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _PAIR.match(text, at)
        if match is None:
            raise ParseError('expected key=value or key="value"', at)
        bounds.condition(match.start(1))
        found[match[1]] = match[3] if match[2] is None else unescaped(match[2])
        at = match.end()
    return found
