"""The one line a log record says, freed of colours, timestamps, levels and logger names."""

from __future__ import annotations

import re

from collector.processors.agent_transfers.model import LogRecord, Value
from collector.processors.agent_transfers.options import MAX_LINE_CHARS
from collector.processors.agent_transfers.values import parse_json, text

_ANSI = re.compile(r"\x1b\[[0-9;]{0,20}[A-Za-z]")
_TIMESTAMP = re.compile(
    r"\[?\d{4}[-/.]\d{2}[-/.]\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?(?:[.,]\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?\]?"
    r"|\[?\d{2}:\d{2}:\d{2}(?:[.,]\d{1,9})?\]?"
)
_LEVEL = re.compile(
    r"[\[(]?(?:TRACE|DEBUG|INFO|INFORMATION|NOTICE|WARN|WARNING|ERROR|FATAL|CRITICAL|inf|dbg|wrn)[\])]?(?![\w.-])",
    re.IGNORECASE,
)
_BRACKETED = re.compile(r"\[[\w.:/-]{1,60}\]")
_LOGGER = re.compile(r"[A-Za-z_][\w./-]{0,80}(?= {0,4}(?:-|:|\||—)[ \[])")
_SEPARATORS = " \t:-|,—"
# Who speaks, not who logs: what follows is quoted text.
_SPEAKERS = frozenset(
    {
        "user", "assistant", "system", "human", "ai", "bot", "tool", "prompt", "message", "content", "input", "output",
        "query", "question", "answer", "response", "completion", "customer", "example", "note", "text", "said", "body",
    }
)  # fmt: skip
_TEXT_KEYS = ("message", "msg", "body", "event", "log", "text")
_MAX_PREFIXES = 8


def line_of(record: LogRecord) -> str:
    """Return the record's line without its prefixes; empty if it has none, or more than one, or is too long.

    Runs of white space become one space: patterns then have nothing to try in many ways.
    """
    raw = _body_text(record.body)
    if not raw or len(raw) > MAX_LINE_CHARS:
        return ""
    line = _ANSI.sub("", raw).strip()
    if "\n" in line or "\r" in line:
        return ""
    return _without_prefixes(" ".join(line.split()))


def body_object(record: LogRecord) -> dict[str, Value]:
    """Return a structured body: a map, or JSON text holding one."""
    parsed = parse_json(record.body)
    return parsed if isinstance(parsed, dict) else {}


def _body_text(body: Value) -> str:
    parsed = parse_json(body)
    if isinstance(parsed, dict):
        return next((found for key in _TEXT_KEYS if (found := text(parsed.get(key)))), "")
    return text(body)


def _without_prefixes(line: str) -> str:
    dated = False
    for _ in range(_MAX_PREFIXES):
        found = _TIMESTAMP.match(line) or _LEVEL.match(line)
        if found is not None:
            dated = True
        else:
            found = _BRACKETED.match(line) or (_LOGGER.match(line) if dated else None)
            if found is not None and found.group().strip("[]").lower() in _SPEAKERS:
                found = None
        if found is None or found.end() == 0:
            return line
        line = line[found.end() :].lstrip(_SEPARATORS)
    return line
