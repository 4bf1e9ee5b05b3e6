"""Last stage: closed batches become tables, pass the processors and are written to storage."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import structlog

from collector.journal.checkpoint import Checkpoint
from collector.journal.journal import Journal, Segment
from collector.logging import described
from collector.pipeline.batching import OpenBatch
from collector.pipeline.ledger import Ledger
from collector.pipeline.prepare import AgentRows, Preparer, Processor
from storage.api import Batch, Writer
from storage.errors import StorageRejected, StorageUnavailable
from storage.queries import Signal

_log = structlog.get_logger(__name__)

RELEASED = "released_segment"
LEDGER = "ledger"


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Limits of the store stage."""

    max_prepared_batches: int = 1  # beside the one being written (each some 60 MB); further ones wait on disk only
    retry_seconds: float = 1.0
    max_retry_seconds: float = 5.0
    max_surprises: int = 3  # failures of one batch that nobody foresaw; then it is put aside like a rejected one


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """How the store stage does."""

    failing_since: float | None  # time.time() of the first failure in a row
    waiting_batches: int
    quarantined_batches: int
    last_write_seconds: float


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A closed segment to store; `prepared` is None when memory was short: it is decoded from the journal again."""

    segment: Segment
    prepared: "Future[Batch] | None"


class StoreStage:
    """Writes closed batches in order. Owns the checkpoint."""

    def __init__(
        self,
        settings: StoreSettings,
        journal: Journal,
        checkpoint: Checkpoint,
        ledger: Ledger,
        writer: Writer,
        processors: Sequence[Processor] = (),
        agents: AgentRows | None = None,
        handover: Callable[[Segment], bool] | None = None,
    ) -> None:
        """Take over what the journal holds.

        `handover` gets each stored segment before it is released, again after a crash in between; True: it shares
        the segment's file, which must not be written again.
        """
        self._settings = settings
        self._journal = journal
        self._checkpoint = checkpoint
        self._ledger = ledger
        self._writer = writer
        self._preparer = Preparer(processors, agents)
        self._agents = agents
        self._handover = handover
        self._waiting: deque[_Waiting] = deque(_Waiting(segment, None) for segment in journal.pending())
        self._changed = threading.Condition()
        self._closing = False
        self._busy = False
        self._writing_rows = 0
        self._abandon_at: float | None = None
        self._status = StoreStatus(None, 0, 0, 0.0)
        self._released = int(checkpoint.load().get(RELEASED, -1))
        self._thread = threading.Thread(target=self._loop, name="baton-store")

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Tell whether the thread runs."""
        return self._thread.is_alive()

    @property
    def is_idle(self) -> bool:
        """Tell whether nothing waits to be stored and nothing is being written."""
        return not self._busy and not self._waiting

    @property
    def status(self) -> StoreStatus:
        """Return how the stage does."""
        return self._status

    @property
    def backlog_rows(self) -> int:
        """Rows of closed batches that storage does not have yet; 0 while it fails, for then nobody should wait."""
        if self._status.failing_since is not None:
            return 0
        return self._writing_rows + sum(_rows(waiting.segment) for waiting in list(self._waiting))

    def put(self, segment: Segment, decoded: OpenBatch) -> None:
        """Queue a closed segment; while storage works but is far behind, wait a moment so that clients slow down."""
        with self._changed:
            if self._status.failing_since is None:
                self._changed.wait_for(self._has_room, timeout=1.0)
            prepared = self._preparer.prepare(segment.batch_id, decoded) if self._has_room() else None
            self._waiting.append(_Waiting(segment, prepared))
            self._changed.notify_all()

    def _has_room(self) -> bool:
        return sum(1 for waiting in self._waiting if waiting.prepared) < self._settings.max_prepared_batches

    def close(self, timeout_seconds: float) -> None:
        """Store what waits, for at most the given time; the rest stays in the journal. Idempotent."""
        with self._changed:
            is_closed, self._closing = self._closing, True
            self._abandon_at = time.monotonic() + timeout_seconds
            self._changed.notify_all()
        self._thread.join()
        self._preparer.close()
        if not is_closed:  # only once: then the journal's lock is given up
            self._save_last()

    def _loop(self) -> None:
        while True:
            with self._changed:
                self._busy, self._writing_rows = False, 0
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    return
                waiting = self._waiting.popleft()
                self._busy, self._writing_rows = True, _rows(waiting.segment)
                self._changed.notify_all()
            if not self._store_until_done(waiting):
                return

    def _store_until_done(self, waiting: _Waiting) -> bool:
        """Store one segment, retrying while storage is unavailable. False: given up because of shutdown."""
        segment, prepared = waiting.segment, waiting.prepared
        started = time.monotonic()
        written: Batch | None = None
        delay, surprises = self._settings.retry_seconds, 0
        while True:
            try:
                written = written or self._write(segment, prepared)
                self._release(segment)
            except Exception as error:  # noqa: BLE001 (an edge: one batch must not end the storing of all others)
                surprises += not isinstance(error, (StorageRejected, StorageUnavailable, OSError))
                hopeless = isinstance(error, StorageRejected) or surprises >= self._settings.max_surprises
                if hopeless and self._quarantine(segment, error):
                    return True
                self._note_failure(error)
                prepared = None  # memory is for what can be stored
                with self._changed:
                    if self._changed.wait_for(self._must_abandon, timeout=delay):
                        return False
                delay = min(delay * 2, self._settings.max_retry_seconds)
            else:
                self._note_success(time.monotonic() - started)
                self._tell_agents(written)
                return True

    def _tell_agents(self, written: Batch) -> None:
        try:
            if self._agents is not None:
                self._agents.stored(written)
        except Exception as error:  # noqa: BLE001 (an edge: the batch is stored, whatever becomes of its transfers)
            _log.error("agents_not_told", **described(error))

    def _must_abandon(self) -> bool:
        return self._closing and self._abandon_at is not None and time.monotonic() >= self._abandon_at

    def _note_success(self, seconds: float) -> None:
        self._status = StoreStatus(None, len(self._waiting), self._status.quarantined_batches, seconds)

    def _note_failure(self, error: Exception) -> None:
        since = self._status.failing_since or time.time()
        self._status = StoreStatus(since, len(self._waiting) + 1, self._status.quarantined_batches, 0.0)
        _log.error("storage_write_failed", **described(error))

    def _quarantine(self, segment: Segment, error: Exception) -> bool:
        """Put aside a batch that cannot be stored as it is: its file is kept and tried at the next start.

        False: the disk does not let it be renamed.
        """
        try:
            self._journal.quarantine(segment)
        except OSError as failed:
            _log.error("batch_not_quarantined", segment=segment.number, error=failed.strerror, errno=failed.errno)
            return False
        status = self._status
        self._status = StoreStatus(None, len(self._waiting), status.quarantined_batches + 1, status.last_write_seconds)
        items = sum(segment.items.values())
        _log.error("batch_quarantined", segment=segment.number, items=items, **described(error))
        return True

    def _write(self, segment: Segment, prepared: "Future[Batch] | None") -> Batch:
        if prepared is None:
            prepared = self._preparer.prepare_again(segment.batch_id, lambda: self._journal.read(segment))
        batch = prepared.result()
        self._writer.write(batch)
        written = {Signal.TRACES: batch.spans.num_rows, Signal.LOGS: batch.logs.num_rows}
        self._ledger.stored(segment.items, written)
        return batch

    def _release(self, segment: Segment) -> None:
        shared = self._handover is not None and self._handover(segment)
        # the ledger is on disk before the segment is gone, so that a crash between the two counts nothing twice
        self._released = max(self._released, segment.number)
        self._save()
        self._journal.release(segment, reuse=not shared)

    def _save(self) -> None:
        self._checkpoint.save({RELEASED: self._released, LEDGER: self._ledger.state()})

    def _save_last(self) -> None:
        """Save what was counted since the last segment was stored: nothing that was rejected is stored."""
        try:
            self._save()
        except OSError as error:
            _log.warning("ledger_not_saved", error=error.strerror, errno=error.errno)


def _rows(segment: Segment) -> int:
    return sum(segment.items.values())
