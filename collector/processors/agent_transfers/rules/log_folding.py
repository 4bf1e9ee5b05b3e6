"""Log transfers told more than once, or taken back: repetitions within moments, failure lines, errors right after."""

from __future__ import annotations

from dataclasses import dataclass, replace

from collector.processors.agent_transfers.model import LogRecord
from collector.processors.agent_transfers.names import stem

_DUPLICATE_NANO = 50_000_000
_FAILURE_NANO = 5_000_000_000


@dataclass(frozen=True, slots=True)
class LogTransfer:
    """A transfer as one record tells it."""

    record: LogRecord
    rule: str
    kind: str
    source: str
    source_id: str
    target: str
    target_id: str
    completed: bool
    reason: str
    confidence: float


def add(found: list[LogTransfer], transfer: LogTransfer) -> None:
    """Add a transfer unless the one before says the same just now; a failure line ends the one it is about."""
    last = found[-1] if found else None
    if last is not None and _same_place(last.record, transfer.record) and _same_pair(last, transfer):
        apart = transfer.record.time_unix_nano - last.record.time_unix_nano
        if not transfer.completed and apart <= _FAILURE_NANO:
            found[-1] = replace(last, completed=False, reason=transfer.reason or last.reason)
            return
        if apart <= _DUPLICATE_NANO:
            found[-1] = last if last.source or not transfer.source else replace(last, source=transfer.source)
            return
    found.append(transfer)


def _same_place(left: LogRecord, right: LogRecord) -> bool:
    return left.trace_id == right.trace_id and (bool(left.trace_id) or left.service_name == right.service_name)


def _same_pair(left: LogTransfer, right: LogTransfer) -> bool:
    if not left.record.trace_id:  # nothing but the time ties them together, so only the very same line is a repetition
        return (left.rule, left.source, left.target) == (right.rule, right.source, right.target)
    sources = not left.source or not right.source or stem(left.source) == stem(right.source)
    return sources and stem(left.target) == stem(right.target)


def fail_last(found: list[LogTransfer], record: LogRecord) -> None:
    """An error about a handoff right after one, in the same trace, says that it did not happen."""
    if not found or not record.trace_id or not _same_place(found[-1].record, record):
        return
    if 0 <= record.time_unix_nano - found[-1].record.time_unix_nano <= _FAILURE_NANO:
        found[-1] = replace(found[-1], completed=False)
