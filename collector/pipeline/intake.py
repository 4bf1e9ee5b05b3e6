"""Requests wait here and are decoded and judged together, as many as there are."""

import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from collector.errors import Refused
from collector.otlp.contexts import Contexts
from collector.otlp.decode import Decoder, layout
from collector.otlp.validate import INVALID_SPAN_ID, INVALID_TRACE_ID, SPAN_SENT_AS_LOG, check
from collector.pipeline.api import Outcome, Request
from storage.queries import Signal

_GATHER_SECONDS = 0.003  # a group's fixed costs are about a millisecond; four clients gained a tenth by this
_MOST_EXPECTED = 8  # beyond, a group is large enough


@dataclass(frozen=True, slots=True)
class Ticket:
    """A request that waits for its answer. `received_unix_nano` is when it was submitted."""

    request: Request
    future: "Future[Outcome]"
    received_unix_nano: int


@dataclass(frozen=True, slots=True)
class Judged:
    """A decoded request: `row` in its group's columns (-1: malformed), and the verdict on its items."""

    ticket: Ticket
    row: int
    items: int
    rejected: dict[str, int]

    @property
    def storable(self) -> int:
        """Items that can be stored."""
        return self.items - sum(self.rejected.values())


@dataclass(frozen=True, slots=True)
class Group:
    """Requests of one signal that were decoded in one call."""

    signal: Signal
    columns: pa.RecordBatch
    requests: list[Judged]


class WaitingRoom:
    """Submitted requests, bounded by bytes. Thread-safe."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._waiting: deque[Ticket] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._last_taken = 1

    def put(self, ticket: Ticket) -> None:
        """Add a request. Raises Refused when the bytes in flight are at their limit, or after `close`."""
        size = len(ticket.request.body)
        with self._changed:
            if self._closed:
                raise Refused("the collector is shutting down", 1.0)
            if self._bytes + size > self._max_bytes and self._bytes > 0:
                raise Refused(f"{self._bytes} bytes of requests are waiting, at most {self._max_bytes} may", 1.0)
            self._bytes += size
            self._waiting.append(ticket)
            self._changed.notify()

    def take(self, max_requests: int, max_bytes: int, patience_seconds: float | None = None) -> list[Ticket] | None:
        """Return what waits: nothing when `patience_seconds` have passed without a request, None once closed and empty.

        Clients that were answered together send again together: as many as last time are waited for, for a moment.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._waiting or self._closed, patience_seconds):
                return []
            if not self._waiting:
                return None
            expected = min(self._last_taken, _MOST_EXPECTED)
            self._changed.wait_for(lambda: len(self._waiting) >= expected or self._closed, _GATHER_SECONDS)
            taken: list[Ticket] = []
            size = 0
            while self._waiting and len(taken) < max_requests and size < max_bytes:
                ticket = self._waiting.popleft()
                size += len(ticket.request.body)
                taken.append(ticket)
            self._last_taken = len(taken)
            return taken

    def settled(self, tickets: list[Ticket]) -> None:
        """Give back the bytes of answered requests."""
        with self._changed:
            self._bytes -= sum(len(ticket.request.body) for ticket in tickets)

    def close(self) -> None:
        """Refuse what comes from now on; what waits can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


def judge(decoder: Decoder, contexts: Contexts, tickets: list[Ticket]) -> list[Group]:
    """Decode and validate requests, one group per signal."""
    groups = []
    for signal in Signal:
        mine = [ticket for ticket in tickets if ticket.request.signal is signal]
        if mine:
            groups.append(_judge_signal(decoder, contexts, signal, mine))
    return groups


def _judge_signal(decoder: Decoder, contexts: Contexts, signal: Signal, tickets: list[Ticket]) -> Group:
    decoded = decoder.decode(signal, [ticket.request.body for ticket in tickets])
    verdict = check(signal, layout(signal, decoded.columns), decoded.columns.num_rows, contexts)
    items, malformed = verdict.items.tolist(), verdict.malformed.tolist()
    judged = []
    for ticket, row in zip(tickets, decoded.rows, strict=True):
        if row < 0 or malformed[row]:
            judged.append(Judged(ticket, -1, 0, {}))
        else:
            rejected = {reason: int(counts[row]) for reason, counts in verdict.rejected.items() if counts[row]}
            judged.append(Judged(ticket, row, items[row], rejected))
    return Group(signal, decoded.columns, judged)


def kept_columns(group: Group, kept: list[Judged]) -> tuple[pa.RecordBatch, NDArray[np.uint64]]:
    """Return the columns of the kept requests, in order, and their times of receipt."""
    times = np.array([judged.ticket.received_unix_nano for judged in kept], np.uint64)
    rows = [judged.row for judged in kept]
    if rows == list(range(group.columns.num_rows)):
        return group.columns, times
    return group.columns.take(pa.array(rows, pa.int64())), times


def rejection_message(rejected: dict[str, int]) -> str:
    """Say in English why items were rejected, naming the field and the rule."""
    parts = [f"{count} span{'s' * (count > 1)} rejected: {_RULES[reason]}" for reason, count in rejected.items()]
    if INVALID_TRACE_ID in rejected:
        parts.append("log records belong to the logs endpoint (/v1/logs)")
    return "; ".join(parts)


_RULES = {
    INVALID_TRACE_ID: "trace_id must be 16 bytes and not all zero",
    INVALID_SPAN_ID: "span_id must be 8 bytes and not all zero",
    SPAN_SENT_AS_LOG: "spans belong to the traces endpoint (/v1/traces)",
}
