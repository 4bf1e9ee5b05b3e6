"""RE2 patterns, which the port speaks, as PostgreSQL's regular expressions.

Both are checked: a pattern that is no RE2 pattern is rejected, and so is one that PostgreSQL cannot express. The few
differences that are left: ignoring case covers ASCII letters only, as does `\\w`.
"""

import re

import pyarrow as pa
import pyarrow.compute as pc

from storage.errors import StorageRejected

_ESCAPES = {"b": r"\y", "B": r"\Y", "A": r"\A", "z": r"\Z"}
_SAME = frozenset("dDwWsSntrfv.\\+*?()|[]{}^$-/ \"'#,:;=<>@!%&~`_")
_FLAGS = re.compile(r"\(\?([a-zA-Z]+)\)")
_NAMED = re.compile(r"\(\?P?<[A-Za-z_][A-Za-z0-9_]*>")


def to_postgres(pattern: str) -> str:
    """Return the pattern for the operator `~`.

    Raises: StorageRejected when it is no RE2 pattern, or has no equivalent.
    """
    try:
        pc.match_substring_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid as error:
        raise StorageRejected(f"not a regular expression: {error}") from error
    if "\0" in pattern:
        raise _unsupported("NUL")
    flags, rest = "s", pattern  # s: `.` and `[^x]` match a line's end
    leading = _FLAGS.match(pattern)
    if leading:
        flags, rest = _flags(leading.group(1)), pattern[leading.end() :]
    return f"(?{flags}){_body(rest)}"


def _flags(written: str) -> str:
    if set(written) - set("is"):
        raise _unsupported(f"(?{written})")
    return ("i" if "i" in written else "") + "s"


def _body(pattern: str) -> str:
    out, place, in_class = [], 0, False
    while place < len(pattern):
        character = pattern[place]
        if character == "\\":
            out.append(_escape(pattern[place + 1 : place + 2], in_class))
            place += 2
            continue
        if character == "(" and not in_class and pattern.startswith("(?", place) and pattern[place + 2] != ":":
            named = _NAMED.match(pattern, place)
            if not named:
                raise _unsupported(pattern[place : place + 4])
            out.append("(")
            place = named.end()
            continue
        if character == "[" and not pattern.startswith("[:", place):
            in_class = True
        elif character == "]":
            in_class = False
        out.append(character)
        place += 1
    return "".join(out)


def _escape(letter: str, in_class: bool) -> str:
    if letter in _ESCAPES and not in_class:
        return _ESCAPES[letter]
    if letter in _SAME:
        return "\\" + letter
    raise _unsupported("\\" + letter)


def _unsupported(what: str) -> StorageRejected:
    return StorageRejected(f"PostgreSQL cannot search with {what} in a regular expression")
