"""A forward queue: a folder of journal segments that one exporter has not delivered yet, and how far it has come.

A segment's file is taken over by a hard link when storage has it, so taking it costs no copy; the journal must then not
reuse the file. Delivery is at least once: the position is saved about once a second, so a crash repeats at most that.
"""

import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from collector.journal.checkpoint import Checkpoint
from collector.journal.journal import Segment
from collector.journal.segment import Record, read_segment
from storage.queries import Signal

_log = structlog.get_logger(__name__)
_FINISHED, _CURRENT, _DELIVERED = "finished", "current", "delivered"


@dataclass(frozen=True, slots=True)
class Queued:
    """A segment that waits, by its place in the queue; `delivered` of its records are done."""

    place: int
    batch_id: str
    path: Path
    bytes: int
    delivered: int = 0

    @property
    def number(self) -> int:
        """The segment's number in its journal."""
        return int(self.batch_id.rpartition("-")[2])


class ForwardQueue:
    """One exporter's queue. `take` belongs to the store thread, `first` to `finish` to the exporter's."""

    def __init__(self, folder: Path, cap_bytes: int, signals: frozenset[Signal]) -> None:
        """Open the folder, creating it if needed; what was left in it is queued. Raises: OSError, ValueError."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._cap_bytes = cap_bytes
        self._signals = signals
        self._checkpoint = Checkpoint(folder / "position.json")
        self._changed = threading.Condition()
        self._saved = self._checkpoint.load()
        self._waiting = self._recover()
        self._next_place = max(self._waiting, default=-1) + 1
        self._is_ending = False
        self._dropped: dict[Signal, int] = dict.fromkeys(signals, 0)

    @property
    def bytes(self) -> int:
        """Bytes that wait."""
        with self._changed:
            return sum(queued.bytes for queued in self._waiting.values())

    @property
    def dropped(self) -> Mapping[Signal, int]:
        """Items that were not queued since the start, because the queue was at its cap or the disk failed."""
        return dict(self._dropped)

    def take(self, segment: Segment) -> bool:
        """Queue a stored segment; True when its file is shared from now on and must not be written again.

        Idempotent for the segment taken last. At the cap, or when the disk does not let the file in, the segment is
        not queued: that is counted and logged as an error, and the items stay in the store.
        """
        items = {signal: count for signal, count in segment.items.items() if signal in self._signals and count}
        if self._has(segment.batch_id):
            return True
        if not items or segment.batch_id == self._saved.get(_FINISHED):
            return False
        try:
            size = segment.path.stat().st_size
            if self.bytes + size > self._cap_bytes:
                self._note_dropped(items, f"the queue is at its cap of {self._cap_bytes} bytes")
                return False
            self._link(segment, size)
        except OSError as error:
            self._note_dropped(items, error.strerror or str(error))
            return False
        return True

    def first(self, timeout_seconds: float) -> Queued | None:
        """Return the oldest segment, waiting for one for a while."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_ending, timeout=timeout_seconds)
            return self._waiting[min(self._waiting)] if self._waiting else None

    @staticmethod
    def records(queued: Queued) -> Iterator[Record]:
        """Yield the records that are not delivered, of all signals. Raises: OSError."""
        for index, record in enumerate(read_segment(queued.path, queued.number)):
            if index >= queued.delivered:
                yield record

    def advance(self, queued: Queued, delivered: int, durable: bool) -> Queued:
        """Note how many records of a segment are delivered; saved on disk when `durable`. Raises: OSError."""
        moved = replace(queued, delivered=delivered)
        with self._changed:
            self._waiting[queued.place] = moved
        if durable:
            self._save({**self._saved, _CURRENT: queued.batch_id, _DELIVERED: delivered})
        return moved

    def finish(self, queued: Queued) -> None:
        """Remove a segment that is delivered. Raises: OSError."""
        self._save({_FINISHED: queued.batch_id})
        with self._changed:
            del self._waiting[queued.place]
        queued.path.unlink(missing_ok=True)

    def end_waiting(self) -> None:
        """Let `first` return at once, now and from now on."""
        with self._changed:
            self._is_ending = True
            self._changed.notify_all()

    def _has(self, batch_id: str) -> bool:
        with self._changed:
            return any(queued.batch_id == batch_id for queued in self._waiting.values())

    def _link(self, segment: Segment, size: int) -> None:
        place = self._next_place
        path = self._folder / f"{place:012d}-{segment.batch_id}"
        path.hardlink_to(segment.path)
        _sync(self._folder)
        self._next_place = place + 1
        with self._changed:
            self._waiting[place] = Queued(place, segment.batch_id, path, size)
            self._changed.notify_all()

    def _save(self, state: dict[str, object]) -> None:
        self._checkpoint.save(state)
        self._saved = state

    def _recover(self) -> dict[int, Queued]:
        found: dict[int, Queued] = {}
        for path in sorted(self._folder.glob("[0-9]*-*")):
            place, _, batch_id = path.name.partition("-")
            if batch_id == self._saved.get(_FINISHED):
                path.unlink()
                continue
            delivered = int(self._saved.get(_DELIVERED, 0)) if batch_id == self._saved.get(_CURRENT) else 0
            found[int(place)] = Queued(int(place), batch_id, path, path.stat().st_size, delivered)
        return found

    def _note_dropped(self, items: Mapping[Signal, int], reason: str) -> None:
        for signal, count in items.items():
            self._dropped[signal] += count
        counts = {signal.value: count for signal, count in items.items()}
        _log.error("forward_queue_refused", queue=self._folder.name, reason=reason, **counts)


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
