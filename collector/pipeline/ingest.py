"""The pipeline: decode → validate → journal → acknowledge → batch → processors → storage.

One thread decodes all waiting requests in one call, makes them durable in one fsync, answers the clients and closes
batches; those of `collector.pipeline.store` flatten and write them. Decoding on a thread of its own was no faster: a
request's way was longer by a hand-over, and every thread more competes for the interpreter.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial

import structlog

from collector.errors import Refused, Rejected
from collector.journal.journal import Journal, JournalFull
from collector.journal.segment import Record
from collector.logging import RateLimited, described
from collector.otlp.contexts import Contexts
from collector.otlp.decode import Decoder
from collector.pipeline.api import Outcome, Request
from collector.pipeline.batching import BatchLimits, OpenBatch
from collector.pipeline.intake import Group, Judged, Ticket, WaitingRoom, judge, kept_columns, rejection_message
from collector.pipeline.ledger import Ledger
from collector.pipeline.recent import RecentRequests
from collector.pipeline.store import StoreStage
from storage.queries import Signal

_log = structlog.get_logger(__name__)
_RECALLED_SEGMENTS = 3  # a request that a crash left without its answer was made durable a moment before


@dataclass(frozen=True, slots=True)
class IngestSettings:
    """Limits of the pipeline."""

    max_bytes_in_flight: int = 256 * 2**20
    max_requests_per_decode: int = 16  # a larger group takes no less time a request, and more memory
    max_bytes_per_decode: int = 16 * 2**20
    batch: BatchLimits = field(default_factory=BatchLimits)


class IngestPipeline:
    """Implements `collector.pipeline.api.Ingest`. `start` once, `close` once."""

    def __init__(self, settings: IngestSettings, journal: Journal, ledger: Ledger, store: StoreStage) -> None:
        self._settings = settings
        self._journal = journal
        self._ledger = ledger
        self._store = store
        self._room = WaitingRoom(settings.max_bytes_in_flight)
        self._open: OpenBatch | None = None
        self._last_cut = float("-inf")
        self._noise = RateLimited(_log)
        self._recent = RecentRequests()
        self._thread = threading.Thread(target=self._loop, name="baton-intake")

    def start(self) -> None:
        """Start the threads; what an earlier process left in the journal is stored first. Raises OSError."""
        self._recall()
        self._store.start()
        self._thread.start()

    def submit(self, request: Request) -> "Future[Outcome]":
        """Queue a request, see `Ingest.submit`."""
        ticket = Ticket(request, Future(), time.time_ns())
        self._room.put(ticket)
        return ticket.future

    def count_undecodable(self, signal: Signal, transport: str, reason: str) -> None:
        """Note a request that was rejected before it could be submitted."""
        self._ledger.undecodable(signal, reason)
        _log.debug("request_undecodable", signal=signal.value, transport=transport, reason=reason)

    def forget_recent(self) -> None:
        """Take repeats of earlier requests for new ones from now on, as after a purge."""
        self._recent.clear()

    @property
    def is_alive(self) -> bool:
        """Tell whether every stage still runs."""
        return self._thread.is_alive() and self._store.is_alive

    def close(self, timeout_seconds: float = 20.0) -> None:
        """Refuse new requests, answer those that wait, store what is durable; the rest stays in the journal."""
        self._room.close()
        self._thread.join()
        self._store.close(timeout_seconds)
        self._journal.close()

    def _recall(self) -> None:
        """Remember the last requests of an earlier process: clients send again what it had no time to answer."""
        for segment in self._journal.pending()[-_RECALLED_SEGMENTS:]:
            records = self._journal.read(segment)
            self._recent.add([self._recent.digest(record.body) for record in records if record.signal is Signal.TRACES])

    def _loop(self) -> None:
        decoder, contexts, settings = Decoder(), Contexts(), self._settings
        while True:
            self._pace()
            tickets = self._room.take(settings.max_requests_per_decode, settings.max_bytes_per_decode, self._patience())
            if tickets is None:
                break
            if tickets:
                self._guard(tickets, partial(self._take_in, decoder, contexts, tickets))
            if self._open and self._open.seconds_left(settings.batch, self._store.is_idle) <= 0:
                self._cut()
        self._cut()

    def _take_in(self, decoder: Decoder, contexts: Contexts, tickets: list[Ticket]) -> None:
        self._settle(judge(decoder, contexts, tickets))

    def _count(self, groups: list[Group]) -> None:
        for group in groups:
            for judged in group.requests:
                if judged.row >= 0:
                    self._ledger.received(group.signal, judged.items, judged.rejected)
                else:
                    self._ledger.undecodable(group.signal, "malformed")

    def _patience(self) -> float | None:
        """Return how long to wait for requests; not longer than the quiet time, for storage may become idle."""
        if self._open is None:
            return None
        limits = self._settings.batch
        return min(max(self._open.seconds_left(limits, self._store.is_idle), 0.0), limits.quiet_seconds)

    def _pace(self) -> None:
        backlog = self._store.backlog_rows + (self._open.rows if self._open else 0)
        pause = self._settings.batch.pause_seconds(backlog)
        if pause > 0:
            time.sleep(pause)

    def _guard(self, tickets: list[Ticket], step: Callable[[], None]) -> None:
        """Run a step; whatever goes wrong, the clients are told to send again and the stage goes on."""
        try:
            step()
        except Exception as error:  # noqa: BLE001 (an edge: clients get a retryable answer, the stage survives)
            _log.error("ingest_stage_failed", requests=len(tickets), **described(error))
            self._answer([(ticket, Refused(f"internal error: {type(error).__name__}")) for ticket in tickets])

    def _answer(self, answers: list[tuple[Ticket, Outcome | Exception]]) -> None:
        self._room.settled([ticket for ticket, _ in answers])
        for ticket, answer in answers:
            if not ticket.future.set_running_or_notify_cancel():
                continue
            if isinstance(answer, Exception):
                ticket.future.set_exception(answer)
            else:
                ticket.future.set_result(answer)

    def _settle(self, groups: list[Group]) -> None:
        """Make the storable requests of decoded groups durable, then count and answer all."""
        answers: list[tuple[Ticket, Outcome | Exception]] = []
        fresh: list[tuple[Group, list[Judged]]] = []
        repeats: list[tuple[Group, Judged]] = []
        new_digests: dict[bytes, None] = {}
        for group in groups:
            kept = []
            for judged in group.requests:
                if judged.row < 0:
                    answers.append((judged.ticket, Rejected("malformed", _MALFORMED[group.signal])))
                elif judged.storable == 0:
                    answers.append((judged.ticket, _outcome(judged)))
                elif self._is_repeat(judged, new_digests):
                    repeats.append((group, judged))
                else:
                    kept.append(judged)
            fresh.append((group, kept))
        failure = self._append(fresh)
        if failure is None:
            self._recent.add(list(new_digests))
        self._count(groups)
        for group, judged in repeats:
            # what it repeats is on disk, or was to be made durable just now
            lost = failure if RecentRequests.digest(judged.ticket.request.body) in new_digests else None
            (self._ledger.refused if lost else self._ledger.duplicate)(group.signal, judged.storable)
            answers.append((judged.ticket, lost or _outcome(judged)))
        for group, kept in fresh:
            for judged in kept:
                if failure is not None:
                    self._ledger.refused(group.signal, judged.storable)
                answers.append((judged.ticket, failure or _outcome(judged)))
        self._answer(answers)

    def _is_repeat(self, judged: Judged, new_digests: dict[bytes, None]) -> bool:
        """Tell whether the request is on disk already; if not, note its digest as new."""
        if judged.ticket.request.signal is not Signal.TRACES:
            return False  # equal log records may be two events; equal spans cannot be, spans have ids
        digest = RecentRequests.digest(judged.ticket.request.body)
        if digest in self._recent or digest in new_digests:
            return True
        new_digests[digest] = None
        return False

    def _append(self, fresh: list[tuple[Group, list[Judged]]]) -> Refused | None:
        records = [
            Record(group.signal, judged.ticket.received_unix_nano, judged.storable, judged.ticket.request.body)
            for group, kept in fresh
            for judged in kept
        ]
        if not records:
            return None
        columns = [(group, kept, *kept_columns(group, kept)) for group, kept in fresh if kept]  # before: it may fail
        try:
            self._journal.append(records)
        except JournalFull as full:
            return Refused(str(full), 2.0)
        except OSError as error:
            self._noise.error("journal_append_failed", error=error.strerror, errno=error.errno)
            self._cut()
            return Refused(f"the journal cannot be written: {error.strerror}", 2.0)
        if self._open is None:
            self._open = OpenBatch(follows=time.monotonic() - self._last_cut < self._settings.batch.max_age_seconds)
        for group, kept, decoded, times in columns:
            rows = sum(judged.storable for judged in kept)
            self._open.add(group.signal, decoded, times, rows, sum(len(j.ticket.request.body) for j in kept))
        return None

    def _cut(self) -> None:
        decoded, self._open = self._open, None
        segment = self._journal.cut()
        if segment is not None:
            self._last_cut = time.monotonic()
            self._store.put(segment, decoded or OpenBatch())


_MALFORMED = {
    Signal.TRACES: "the body is not an ExportTraceServiceRequest",
    Signal.LOGS: "the body is not an ExportLogsServiceRequest",
}


def _outcome(judged: Judged) -> Outcome:
    return Outcome(judged.storable, judged.items - judged.storable, rejection_message(judged.rejected))
