"""What a user can set for the rules: which run, how sure a transfer must be, and the log patterns."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

MAX_LINE_CHARS = 1_000
"""Longer log lines are not transfers; the cap also bounds what a pattern can cost."""

_WORD = r"[^\s\"'`()\[\]{}<>|,;=→:-][^\s\"'`()\[\]{}<>|,;=→:]{0,79}"
_NAME = rf"{_WORD}(?: {_WORD}){{0,4}}"
_ARROW = r"(?:→|-->|->|=>|\\u2192)"

DEFAULT_LOG_PATTERNS: tuple[tuple[str, str, str], ...] = (
    (
        "log_arrow",
        "handoff",
        rf"\[agent transfer\] {{0,4}}(?P<source>{_NAME}) {{0,4}}{_ARROW} {{0,4}}(?P<target>{_NAME})",
    ),
    ("log_transferring", "handoff", rf"transferring to agent ?: {{0,4}}(?P<target>{_NAME})"),
    ("log_delegates", "delegation", rf"agent (?P<source>{_NAME}) delegates to agent (?P<target>{_NAME})"),
)
"""(rule, kind, regular expression over the whole line, case ignored)."""

_UNBOUNDED = re.compile(r"(?<!\\)(?:[*+]|\{\d+,\})")
_FORBIDDEN = (
    (re.compile(r"(?<!\\)\\[1-9]|\(\?P="), "back-references"),
    (re.compile(r"\(\?<?[=!]"), "look-around"),
    (re.compile(r"\(\?\("), "conditionals"),
)
_QUANTIFIED_GROUP = re.compile(r"(?<!\\)\)(?:[*+?]|\{)")
_MAX_UNBOUNDED = 3


class InvalidLogPattern(ValueError):
    """A log pattern cannot be used; the message says which and why."""


@dataclass(frozen=True, slots=True)
class LogPattern:
    """A compiled pattern. It must match a whole line; group `target` is required, group `source` is optional."""

    rule: str
    kind: str
    expression: re.Pattern[str]


def compile_log_pattern(rule: str, kind: str, expression: str) -> LogPattern:
    """Check and compile one pattern.

    Constructs whose matching time can grow faster than the (capped) line are refused: back-references, look-around,
    repeated groups, and more than three unbounded repetitions.
    Raises: InvalidLogPattern.
    """
    if kind not in {"handoff", "delegation"}:
        raise InvalidLogPattern(f"log pattern {rule!r}: kind must be handoff or delegation, not {kind!r}")
    for construct, name in _FORBIDDEN:
        if construct.search(expression):
            raise InvalidLogPattern(f"log pattern {rule!r}: {name} are not supported")
    if rule not in _DEFAULT_RULES:
        _refuse_slow(rule, expression)
    try:
        compiled = re.compile(expression, re.IGNORECASE)
    except re.error as error:
        raise InvalidLogPattern(f"log pattern {rule!r}: {error}") from error
    if "target" not in compiled.groupindex:
        raise InvalidLogPattern(f"log pattern {rule!r}: a group named 'target' is required: (?P<target>…)")
    return LogPattern(rule, kind, compiled)


def _refuse_slow(rule: str, expression: str) -> None:
    if len(expression) > MAX_LINE_CHARS:
        raise InvalidLogPattern(f"log pattern {rule!r}: longer than {MAX_LINE_CHARS} characters")
    bare = re.sub(r"\[\^?\]?(?:\\.|[^\]\\])*\]", "x", expression)  # characters inside […] repeat nothing
    if _QUANTIFIED_GROUP.search(bare):
        raise InvalidLogPattern(f"log pattern {rule!r}: a repeated group can take exponential time")
    if len(_UNBOUNDED.findall(bare)) > _MAX_UNBOUNDED:
        raise InvalidLogPattern(f"log pattern {rule!r}: more than {_MAX_UNBOUNDED} unbounded repetitions")


_DEFAULT_RULES = frozenset(rule for rule, _, _ in DEFAULT_LOG_PATTERNS)
_DEFAULTS = tuple(compile_log_pattern(*pattern) for pattern in DEFAULT_LOG_PATTERNS)


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of one `detect` call. `disabled_rules` holds rule names as they appear in `Transfer.rule`."""

    log_patterns: tuple[LogPattern, ...] = _DEFAULTS
    disabled_rules: frozenset[str] = frozenset()
    min_confidence: float = 0.0
    project: str = "default"


def make_options(
    log_patterns: Iterable[tuple[str, str, str]] = DEFAULT_LOG_PATTERNS,
    disabled_rules: Iterable[str] = (),
    min_confidence: float = 0.0,
    project: str = "default",
) -> Options:
    """Build options from configuration values.

    Raises: InvalidLogPattern for a pattern that cannot be used, ValueError for an unknown confidence range.
    """
    if not 0.0 <= min_confidence <= 1.0:
        raise ValueError(f"min_confidence must be between 0 and 1, not {min_confidence}")
    compiled = tuple(compile_log_pattern(*pattern) for pattern in log_patterns)
    return Options(compiled, frozenset(disabled_rules), min_confidence, project)
