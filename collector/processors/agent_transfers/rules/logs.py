"""Transfers that log records tell: three anchored line patterns (or the configured ones) and structured records."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from collector.processors.agent_transfers.group import Group
from collector.processors.agent_transfers.loglines import body_object, line_of
from collector.processors.agent_transfers.model import Attributes, LogRecord, Span
from collector.processors.agent_transfers.names import clean, stem
from collector.processors.agent_transfers.options import Options
from collector.processors.agent_transfers.rules.keys import roles
from collector.processors.agent_transfers.rules.log_folding import LogTransfer, add, fail_last
from collector.processors.agent_transfers.values import canonical, first_text, text

STRUCTURED = "log_structured"

_ERROR_SEVERITY = 17
_ENDING = re.compile(
    r"(?: (?P<failed>(?:has )?(?:failed|rejected|denied|refused|aborted|cancel+ed|timed out|not possible|impossible)\b"
    r".{0,400})"
    r"| (?P<done>completed|succeeded|done|ok|finished|started|initiated)"
    r"| (?P<task>(?:an?|the|this) (?:task|job|work|request|question)\b.{0,400})"
    r"| ?\((?P<note>[^()]{0,300})\))?(?<! )[.!…]{0,3}$",
    re.IGNORECASE,
)
_FAILED_NOTE = re.compile(r"\b(?:failed|denied|rejected|refused|aborted|unavailable|timed? ?out)\b", re.IGNORECASE)
_ERROR_TELLS = re.compile(r"hand-?_?off|transfer|delegat", re.IGNORECASE)
_EVENT_TELLS = re.compile(
    r"^(?:agent[\s._-]?)?(?:transfer|hand-?_?off|handover|delegat(?:e|ion|ed))(?:red|ed|s)?$", re.IGNORECASE
)
_EVENT_KEYS = ("event", "event.name", "event_name", "message", "msg", "body", "type")
_AGENT_KEYS = ("agent.name", "agent_name", "gen_ai.agent.name", "agentName", "agent", "from_agent", "source_agent")
_AGENT_ID_KEYS = ("agent.id", "agent_id", "gen_ai.agent.id", "agentId")
# Words that continue a sentence rather than a name.
_NOT_NAMES = frozenset(
    [
        "is",
        "was",
        "are",
        "were",
        "be",
        "been",
        "has",
        "have",
        "had",
        "no",
        "not",
        "never",
        "could",
        "would",
        "should",
        "will",
        "can",
        "may",
        "might",
        "must",
        "no",
        "longer",
        "because",
        "since",
        "for",
        "to",
        "from",
        "with",
        "via",
        "after",
        "before",
        "when",
        "while",
        "and",
        "or",
        "if",
        "but",
        "in",
        "on",
        "at",
        "by",
        "as",
        "then",
        "than",
        "that",
        "this",
        "pending",
        "done",
        "disabled",
        "enabled",
        "failed",
        "succeeded",
        "table",
        "fee",
        "rule",
        "loaded",
        "registered",
        "configured",
    ]
)


def find(group: Group, logs: Sequence[LogRecord], options: Options) -> list[LogTransfer]:
    """Return the log transfers of a group in order of time, each told once."""
    records = sorted(_once([*logs, *_log_spans(group)]), key=_order)
    found: list[LogTransfer] = []
    for record in records:
        transfer = _read(group, record, options)
        if transfer is not None:
            add(found, transfer)
        elif record.severity_number >= _ERROR_SEVERITY and _ERROR_TELLS.search(line_of(record)):
            fail_last(found, record)
    return found


def _order(record: LogRecord) -> tuple[bytes, str, int, bytes]:
    service = "" if record.trace_id else record.service_name
    return (record.trace_id, service, record.time_unix_nano, canonical(record.body))


def _once(records: Iterable[LogRecord]) -> Iterator[LogRecord]:
    seen: set[bytes] = set()
    for record in records:
        key = canonical(
            (
                record.trace_id, record.span_id, record.time_unix_nano, record.severity_number, record.body,
                dict(record.attributes), record.service_name, record.scope_name, record.event_name,
            )
        )  # fmt: skip
        if key not in seen:
            seen.add(key)
            yield record


def _log_spans(group: Group) -> Iterator[LogRecord]:
    """Log lines that an SDK exported as spans without a duration."""
    for span in group.forest.spans:
        if span.attributes.get("logfire.span_type") == "log":
            yield _as_record(span)


def _as_record(span: Span) -> LogRecord:
    level = span.attributes.get("logfire.level_num")
    return LogRecord(
        trace_id=span.trace_id,
        span_id=span.span_id,
        time_unix_nano=span.start_time_unix_nano,
        severity_number=level if isinstance(level, int) else 0,
        body=text(span.attributes.get("logfire.msg")) or span.name,
        attributes=span.attributes,
        service_name=span.service_name,
        scope_name=span.scope_name,
        event_name="",
    )


def _read(group: Group, record: LogRecord, options: Options) -> LogTransfer | None:
    line = line_of(record)
    for pattern in options.log_patterns:
        if pattern.rule in options.disabled_rules:
            continue
        ending = _ENDING.search(line) if line else None
        for cut in dict.fromkeys((ending.start() if ending else len(line), len(line))):
            found = pattern.expression.fullmatch(line[:cut].rstrip())
            if found is not None and (
                transfer := _from_match(group, record, pattern.rule, pattern.kind, found, line[cut:])
            ):
                return transfer
    return None if STRUCTURED in options.disabled_rules else _structured(record)


def _from_match(
    group: Group, record: LogRecord, rule: str, kind: str, found: re.Match[str], ending: str
) -> LogTransfer | None:
    groups = found.groupdict()
    source, target = text(groups.get("source")).rstrip("-"), text(groups.get("target"))
    if not target or not _is_name(target) or (source and not _is_name(source)):
        return None
    source_id = first_text(record.attributes, _AGENT_ID_KEYS)
    if "source" not in found.re.groupindex:
        source = _speaker(group, record) or source_id
    said = _ENDING.match(ending)
    note = text(said.group("note") or said.group("failed")) if said else ""
    task = text(said.group("task")) if said else ""
    failed = bool(said and said.group("failed")) or bool(_FAILED_NOTE.search(note))
    return LogTransfer(
        record, rule, kind, source, source_id, target, "", not failed, note or task, 0.95 if source else 0.8
    )


def _is_name(name: str) -> bool:
    """Refuse what reads on like a sentence."""
    first, *others = name.lower().split()
    if any(word in _NOT_NAMES for word in others):
        return False
    return first not in {"no", "any", "the"} and not (others and first in {"a", "an"})


def _speaker(group: Group, record: LogRecord) -> str:
    """Return the agent a record speaks for: what it says itself, else the run of the span it was written in."""
    named = first_text(record.attributes, _AGENT_KEYS)
    if named:
        return named
    index = group.forest.position.get((record.trace_id, record.span_id))
    if first_text(record.attributes, _AGENT_ID_KEYS) or index is None:
        return ""
    around = group.activations.around(index)
    return around.name if around else group.facts[index].owner


def _structured(record: LogRecord) -> LogTransfer | None:
    body = body_object(record)
    told = (text(record.body), record.event_name, *(text(body.get(key)) for key in _EVENT_KEYS))
    if not any(_EVENT_TELLS.match(item.strip()) for item in told if item and len(item) < 60):
        return None
    merged: Attributes = {**record.attributes, **body}
    named = roles(merged)
    if named is None or not named.target or not named.source or stem(named.source) == stem(named.target):
        return None
    kind = "delegation" if any("delegat" in item.lower() for item in told) else "handoff"
    failed = record.severity_number >= _ERROR_SEVERITY
    return LogTransfer(
        record, STRUCTURED, kind, clean(named.source), named.source_id, clean(named.target), named.target_id, not
        failed, named.reason, 0.85,
    )  # fmt: skip
