"""Detecting the agent transfers of one group of traces: a pure function of its spans and log records."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from collector.processors.agent_transfers.activations import Activation
from collector.processors.agent_transfers.claims import Claims, answer_evident, settle
from collector.processors.agent_transfers.group import Group, prepare
from collector.processors.agent_transfers.model import LogRecord, Span, Transfer
from collector.processors.agent_transfers.names import MAX_NAME_CHARS, is_placeholder, stem
from collector.processors.agent_transfers.options import Options, make_options
from collector.processors.agent_transfers.rules import (
    agent_in_tool,
    agent_link,
    agent_nesting,
    agent_sequence,
    conversation_sequence,
    logs,
    registry,
)
from collector.processors.agent_transfers.rules.asked import Answers, asked, model_answers
from collector.processors.agent_transfers.rules.log_folding import LogTransfer
from collector.processors.agent_transfers.rules.trigger import MAX_REASON, Trigger
from collector.processors.agent_transfers.semantics_table import MAX_FIELD_CHARS

__all__ = ["Options", "detect", "detect_prepared", "make_options"]

_TOLD_TWICE_NANO = 2_000_000_000
"""A log line and a span tell of one transfer when they are at most this far apart."""

_StructureRule = Callable[[Claims], Iterator[tuple[Activation, Trigger]]]
_CLAIMING: tuple[tuple[str, _StructureRule], ...] = (
    (agent_in_tool.RULE, agent_in_tool.find),
    (agent_link.RULE, agent_link.find),
    (agent_nesting.RULE, agent_nesting.find),
)
_FOLLOWING: tuple[tuple[str, _StructureRule], ...] = (
    (agent_sequence.RULE, agent_sequence.find),
    (conversation_sequence.RULE, conversation_sequence.find),
)


def detect(spans: Sequence[Span], logs_: Sequence[LogRecord], options: Options) -> list[Transfer]:
    """Return the transfers of one group, ordered by time.

    The group is all spans and log records of traces that belong together (see `grouping`); log records without a
    trace may be given on their own. The result depends on the set of spans and records only: not on their order, on
    how they were batched, or on exact repetitions.
    """
    return detect_prepared(prepare(spans), logs_, options)


def detect_prepared(group: Group, logs_: Sequence[LogRecord], options: Options) -> list[Transfer]:
    """Return the transfers of a group that is prepared already, see `detect`."""
    claims = settle(group, registry.triggers(group, options))
    answers = model_answers(group)
    rows = [_row(group, answers, trigger, options, run) for run, trigger in _pairs(claims, options)]
    rows += [_row(group, answers, trigger, options, None, completed=False) for trigger in claims.open]
    rows += [_row(group, answers, trigger, options, None) for trigger in claims.evident]
    rows = [row for row in rows if _is_kept(row, options)]
    told = _SpanRows(group, rows)
    for transfer in logs.find(group, logs_, options):
        if not told.tells(transfer):
            rows.append(_log_row(group, transfer, options))
    kept = {row.id: row for row in rows if _is_kept(row, options)}
    return sorted(kept.values(), key=lambda row: (row.time_unix_nano, row.trace_id, row.id))


def _is_kept(row: Transfer, options: Options) -> bool:
    return row.confidence >= options.min_confidence and row.to_agent != row.from_agent


def _pairs(claims: Claims, options: Options) -> Iterator[tuple[Activation, Trigger]]:
    """Let the structure rules claim what the triggers left, then yield every run with its trigger."""
    if conversation_sequence.RULE not in options.disabled_rules:
        answered = list(conversation_sequence.answer_open(claims))
        for run, trigger in answered:
            if run.number not in claims.by_run and trigger in claims.open:
                claims.claim(run.number, trigger)
                claims.open.remove(trigger)
    queued = answer_evident(claims)
    for run, trigger in queued:
        claims.claim(run.number, trigger)
    answered_later = {trigger for _, trigger in queued}
    claims.evident = [trigger for trigger in claims.evident if trigger not in answered_later]
    for rule, find in _CLAIMING:
        if rule not in options.disabled_rules:
            for run, trigger in list(find(claims)):
                claims.claim(run.number, trigger)
    following = [pair for rule, find in _FOLLOWING if rule not in options.disabled_rules for pair in find(claims)]
    by_number = claims.group.activations.by_number
    for number, trigger in claims.by_run.items():
        yield by_number[number], trigger
    yield from following


def _row(
    group: Group, answers: Answers, trigger: Trigger, options: Options, run: Activation | None, completed: bool = True
) -> Transfer:
    span = group.forest.spans[trigger.index]
    target = group.forest.spans[run.top] if run else None
    source_run = group.activations.by_number.get(trigger.source_run)
    to_agent = run.name if run else (group.known(trigger.target) or trigger.target)
    from_agent = "" if is_placeholder(trigger.source) else trigger.source
    if not (trigger.reason and to_agent):
        sought, why = asked(group, answers, trigger.source_run, trigger.time, to_agent)
        to_agent = to_agent or sought
        trigger = replace(trigger, reason=trigger.reason or why[:MAX_REASON])
    target_span_id = target.span_id if target else b""
    return Transfer(
        id=_id("span", span.trace_id, span.span_id, target_span_id, from_agent, to_agent, trigger.time),
        project=options.project,
        trace_id=span.trace_id,
        conversation_id=_conversation(group, trigger.index, source_run, run),
        from_agent=from_agent,
        to_agent=to_agent,
        from_agent_id=trigger.source_id or (source_run.agent_id if source_run else ""),
        to_agent_id=(run.agent_id if run else "") or trigger.target_id,
        kind=trigger.kind,
        completed=completed,
        waits=trigger.waits,
        time_unix_nano=trigger.time,
        trigger_span_id=span.span_id,
        target_span_id=target_span_id,
        target_trace_id=target.trace_id if target and target.trace_id != span.trace_id else b"",
        reason=trigger.reason,
        signal="span",
        rule=trigger.rule,
        confidence=trigger.confidence,
    )


def _conversation(group: Group, index: int, source: Activation | None, target: Activation | None) -> str:
    """Return the conversation a transfer belongs to: what its trigger says, then its source, then its target."""
    said = group.facts[index].fields.conversation_id or (source.conversation if source else "")
    said = said or (target.conversation if target else "") or group.conversation_of(index)
    return said or (group.conversation_of(target.top) if target else "")


def _log_row(group: Group, transfer: LogTransfer, options: Options) -> Transfer:
    record, source, target = transfer.record, transfer.source[:MAX_NAME_CHARS], transfer.target[:MAX_NAME_CHARS]
    index = group.forest.position.get((record.trace_id, record.span_id))
    return Transfer(
        id=_id(
            "log",
            record.trace_id,
            record.span_id,
            record.service_name,
            source,
            target,
            record.time_unix_nano,
        ),
        project=options.project,
        trace_id=record.trace_id,
        conversation_id=group.conversation_of(index) if index is not None else "",
        from_agent=source,
        to_agent=target,
        from_agent_id=transfer.source_id[:MAX_FIELD_CHARS],
        to_agent_id=transfer.target_id[:MAX_FIELD_CHARS],
        kind=transfer.kind,
        completed=transfer.completed,
        waits=transfer.kind == "delegation",
        time_unix_nano=record.time_unix_nano,
        trigger_span_id=record.span_id,
        target_span_id=b"",
        target_trace_id=b"",
        reason=transfer.reason[:MAX_REASON],
        signal="log",
        rule=transfer.rule,
        confidence=transfer.confidence,
    )


def _id(*parts: bytes | str | int) -> str:
    """Hash what identifies a transfer; every part is set off by its length."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part if isinstance(part, bytes) else str(part).encode("utf-8", "replace")
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()[:32]


class _SpanRows:
    """Span transfers by trace and target, to find the ones a log line tells again."""

    def __init__(self, group: Group, rows: list[Transfer]) -> None:
        self._group = group
        self._rows: dict[tuple[bytes, str], list[Transfer]] = {}
        self._announced: set[str] = set()
        for row in rows:
            self._rows.setdefault((row.trace_id, stem(row.to_agent)), []).append(row)

    def tells(self, transfer: LogTransfer) -> bool:
        """Tell whether a span transfer is the same as one that a log line tells; lines come in order of time.

        A line may also announce a transfer whose target starts much later: each transfer is announced once.
        """
        if not transfer.record.trace_id:
            return False
        at = transfer.record.time_unix_nano
        same = [
            row
            for row in self._rows.get((transfer.record.trace_id, stem(transfer.target)), [])
            if not transfer.source or not row.from_agent or stem(row.from_agent) == stem(transfer.source)
        ]
        if any(abs(row.time_unix_nano - at) <= _TOLD_TWICE_NANO for row in same):
            return True
        ahead = (row for row in same if row.id not in self._announced and self._is_under_way(row, at))
        announced = min(ahead, key=lambda row: (row.time_unix_nano, row.id), default=None)
        if announced is not None:
            self._announced.add(announced.id)
        return announced is not None

    def _is_under_way(self, row: Transfer, at: int) -> bool:
        """Tell whether a time is between the start of what caused a transfer and the start of its target."""
        position, spans = self._group.forest.position, self._group.forest.spans
        cause = position.get((row.trace_id, row.trigger_span_id))
        target = position.get((row.target_trace_id or row.trace_id, row.target_span_id))
        if cause is None or target is None:
            return False
        return spans[cause].start_time_unix_nano <= at <= spans[target].start_time_unix_nano
