"""Empties a forward queue into a client, for as long as it takes."""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import structlog

from collector.forwarding.queue import ForwardQueue, Queued
from collector.journal.segment import Record
from collector.logging import in_words
from exporters.delivery import Client, Delivered, DeliveryDelayed, DeliveryRejected
from storage.queries import Signal

_log = structlog.get_logger(__name__)
_IDLE_SECONDS = 60.0
_SAVE_SECONDS = 1.0  # how often the position is saved: what a crash repeats
_SHORTEST_WISH_SECONDS, _LONGEST_WISH_SECONDS = 0.1, 300.0  # of a receiver that says when to come back
_REPORT_SECONDS = 60.0  # how often a receiver that does not answer, or rejects, is logged again


@dataclass(frozen=True, slots=True)
class ForwardSettings:
    """How a queue is emptied. Small requests are joined up to `max_message_bytes`."""

    max_message_bytes: int = 2 * 2**20
    retry_seconds: float = 1.0
    max_retry_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class ForwardStatus:
    """How an exporter does, since the start. Items are spans and log records.

    `rejected` ones the receiver will never take, `dropped` ones found no room in the queue.
    """

    failing_since: float | None  # time.time() of the first failure in a row
    queued_bytes: int
    delivered: int
    rejected: int
    dropped: int


class Forwarder:
    """Runs on a thread of its own. `start` once, `close` once; what is not delivered by then is kept."""

    def __init__(self, name: str, queue: ForwardQueue, client: Client, settings: ForwardSettings | None = None) -> None:
        self._name = name
        self._queue = queue
        self._client = client
        self._settings = settings or ForwardSettings()
        self._closing = threading.Event()
        self._failing_since: float | None = None
        self._next_report = self._next_rejected_report = 0.0
        self._unreported: Counter[tuple[Signal, str]] = Counter()  # rejected items by what the receiver answered
        self._next_save = 0.0
        self._delivered = self._rejected = 0
        self._thread = threading.Thread(target=self._run, name=f"baton-forward-{name}")

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Tell whether the thread runs."""
        return self._thread.is_alive()

    @property
    def status(self) -> ForwardStatus:
        """Return how it does."""
        dropped = sum(self._queue.dropped.values())
        return ForwardStatus(self._failing_since, self._queue.bytes, self._delivered, self._rejected, dropped)

    def close(self) -> None:
        """End after the message under way. Idempotent."""
        self._closing.set()
        self._queue.end_waiting()
        if self._thread.ident is not None:
            self._thread.join()
        self._report_rejected()
        self._client.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            queued = self._queue.first(_IDLE_SECONDS)
            if time.monotonic() >= self._next_rejected_report:
                self._report_rejected()
            if queued is None or self._closing.is_set():
                continue
            try:
                self._empty(queued)
            except Exception as error:  # noqa: BLE001 (the edge of the thread: the queue keeps what it has)
                self._failed(in_words(error))
                self._closing.wait(self._settings.max_retry_seconds)

    def _empty(self, queued: Queued) -> None:
        for signal, records, delivered in self._messages(queued):
            if not self._deliver(signal, records):
                self._queue.advance(queued, queued.delivered, durable=True)
                return
            durable = time.monotonic() >= self._next_save
            if durable:
                self._next_save = time.monotonic() + _SAVE_SECONDS
            queued = self._queue.advance(queued, delivered, durable)
        self._queue.finish(queued)

    def _messages(self, queued: Queued) -> Iterator[tuple[Signal, list[Record], int]]:
        """Yield runs of records of one signal, and how many records of the segment are done after each run."""
        run: list[Record] = []
        size, done = 0, queued.delivered
        for record in self._queue.records(queued):
            if run and (
                record.signal is not run[0].signal or size + len(record.body) > self._settings.max_message_bytes
            ):
                yield run[0].signal, run, done
                run, size = [], 0
            done += 1
            if record.signal in self._client.signals:
                run.append(record)
                size += len(record.body)
        if run:
            yield run[0].signal, run, done

    def _deliver(self, signal: Signal, records: Sequence[Record]) -> bool:
        """Deliver until it is done, in parts if need be; False when the service ends first."""
        items = sum(record.items for record in records)
        delay = self._settings.retry_seconds
        while True:
            try:
                # Concatenated protobuf messages are one message with all their entries.
                answer = self._client.send(signal, b"".join(record.body for record in records))
            except DeliveryDelayed as error:
                self._failed(str(error), error.answer)
                if self._closing.wait(_pause(delay, error.retry_after_seconds)):
                    return False
                delay = min(delay * 2, self._settings.max_retry_seconds)
            except DeliveryRejected as error:
                return self._reject(signal, records, error)
            else:
                self._succeeded(signal, items, answer)
                return True

    def _reject(self, signal: Signal, records: Sequence[Record], error: DeliveryRejected) -> bool:
        """Find the record that the receiver does not take; the others are delivered."""
        if len(records) > 1:
            middle = len(records) // 2
            return self._deliver(signal, records[:middle]) and self._deliver(signal, records[middle:])
        self._note_rejected(signal, records[0].items, str(error), error.answer)
        return True

    def _succeeded(self, signal: Signal, items: int, answer: Delivered) -> None:
        if self._failing_since is not None:
            _log.warning("forward_recovered", exporter=self._name, queued_bytes=self._queue.bytes)
            self._failing_since, self._next_report = None, 0.0
        rejected = min(max(answer.rejected, 0), items)  # a receiver may say anything; counters only grow
        self._delivered += items - rejected
        if rejected:
            self._note_rejected(signal, rejected, "partial success", answer.answer)

    def _note_rejected(self, signal: Signal, items: int, detail: str, answer: str) -> None:
        self._rejected += items
        self._unreported[signal, detail[:500]] += items
        _note_answer(self._name, answer)
        if time.monotonic() >= self._next_rejected_report:
            self._report_rejected()

    def _report_rejected(self) -> None:
        """Log what was rejected since this was last done: the first at once, what follows together."""
        if self._unreported:
            self._next_rejected_report = time.monotonic() + _REPORT_SECONDS
        for (signal, detail), items in self._unreported.items():
            _log.error("forward_rejected", exporter=self._name, signal=signal.value, items=items, detail=detail)
        self._unreported.clear()

    def _failed(self, detail: str, answer: str = "") -> None:
        self._failing_since = self._failing_since or time.time()
        if time.monotonic() >= self._next_report:
            self._next_report = time.monotonic() + _REPORT_SECONDS
            _log.warning("forward_delayed", exporter=self._name, detail=detail[:500], queued_bytes=self._queue.bytes)
            _note_answer(self._name, answer)


def _note_answer(exporter: str, answer: str) -> None:
    """Log what a receiver said, for who asks for it: it may quote values of users."""
    if answer:
        _log.debug("forward_answer", exporter=exporter, answer=answer)


def _pause(delay: float, wish: float | None) -> float:
    """Return how long to wait: what the receiver wishes, else the delay with some jitter."""
    if wish is not None:
        return min(max(wish, _SHORTEST_WISH_SECONDS), _LONGEST_WISH_SECONDS)
    return delay * random.uniform(0.5, 1.0)  # noqa: S311 (no secret)
