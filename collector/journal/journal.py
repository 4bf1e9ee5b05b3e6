"""The durable ingest journal: what is acknowledged is here until storage has it.

Records are appended to the open segment and fsynced as a group. `cut` closes the segment: it is then a batch, fixed
before it is stored, and its name is the storage write's deduplication token. `release` frees a stored segment. After a
crash every segment that was not released is found again by `pending`.
"""

import contextlib
import fcntl
import os
import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from collector.journal.segment import (
    FIRST_RECORD,
    RECORD_OVERHEAD,
    Record,
    SegmentFile,
    begins_unreadably,
    locate_records,
    read_segment,
)
from storage.queries import Signal

_log = structlog.get_logger(__name__)
_FAILURE_SECONDS = 10.0
_SPARE_FILES = 3  # reused files that wait; more would only hold disk


class JournalFull(Exception):
    """The journal is at its cap: nothing more can be made durable until storage catches up."""


class JournalLocked(Exception):
    """Another process has this journal open."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A closed segment that waits to be stored.

    `batch_id` is unique among all journals ever made; `items` counts storable spans and log records.
    """

    number: int
    batch_id: str
    path: Path
    bytes: int
    items: Mapping[Signal, int]


class Journal:
    """One journal folder. `append` and `cut` belong to one thread, `release` to another; the rest to any."""

    def __init__(self, folder: Path, cap_bytes: int, released: int = -1) -> None:
        """Open the folder, creating it if needed.

        Segments up to number `released` are known to be stored and are dropped. Raises OSError, JournalLocked.
        """
        self._folder = folder
        self._cap_bytes = cap_bytes
        folder.mkdir(parents=True, exist_ok=True)
        self._lock_fd = _lock(folder / "lock")
        self._identity = _identity(folder / "identity")
        self._mutex = threading.Lock()
        self._spares: deque[Path] = deque()
        self._closed_bytes = 0
        self._open: SegmentFile | None = None
        self._open_items: Counter[Signal] = Counter()
        self._since: dict[int, float] = {}  # segment → time.time() of its first record, oldest first
        self._failure, self._failed_at = "", float("-inf")
        self._next_number = released + 1
        self._recovered = self._recover(released)

    def pending(self) -> list[Segment]:
        """Return the segments an earlier process left, oldest first."""
        return list(self._recovered)

    @property
    def bytes(self) -> int:
        """Bytes of records that storage does not have yet."""
        with self._mutex:
            return self._closed_bytes + (self._open.size if self._open else 0)

    @property
    def cap_bytes(self) -> int:
        """The most that `bytes` may reach."""
        return self._cap_bytes

    @property
    def oldest_unix(self) -> float | None:
        """When the oldest record that storage does not have was appended; None when there is none."""
        with self._mutex:
            return next(iter(self._since.values()), None)

    @property
    def error(self) -> str:
        """Why the journal cannot be written, or nothing.

        A failure counts for some seconds only: a service that is not ready gets no requests that could prove it well.
        """
        return self._failure if time.monotonic() - self._failed_at < _FAILURE_SECONDS else ""

    def append(self, records: list[Record]) -> None:
        """Make records durable, all or none.

        Raises JournalFull at the cap, OSError when the disk fails or is full; the journal stays usable after both.
        """
        needed = sum(len(record.body) + RECORD_OVERHEAD for record in records)
        if self.bytes + needed > self._cap_bytes:
            raise JournalFull(f"journal holds {self.bytes} of at most {self._cap_bytes} bytes")
        try:
            if self._open is None:
                self._open = self._new_segment()
            self._open.append(records)
        except OSError as error:
            self._failure, self._failed_at = error.strerror or str(error), time.monotonic()
            raise
        self._failure = ""
        with self._mutex:
            self._since.setdefault(self._open.number, time.time())
        for record in records:
            self._open_items[record.signal] += record.items

    def cut(self) -> Segment | None:
        """Close the open segment and return it, or None when it has no records."""
        if self._open is None or not self._open_items:
            return None
        done, self._open = self._open, None
        items, self._open_items = self._open_items, Counter()
        done.close()
        segment = Segment(done.number, self._batch_id(done.number), done.path, done.size, items)
        with self._mutex:
            self._closed_bytes += segment.bytes
        return segment

    def release(self, segment: Segment, reuse: bool = True) -> None:
        """Free a segment that storage has durably; not `reuse` when its file is shared. Raises OSError."""
        spare = None
        if reuse and len(self._spares) < _SPARE_FILES:
            spare = segment.path.with_name(f"spare-{segment.number}")
            segment.path.rename(spare)
        else:
            segment.path.unlink(missing_ok=True)
        with self._mutex:
            self._closed_bytes -= segment.bytes
            self._since.pop(segment.number, None)
            if spare is not None:
                self._spares.append(spare)

    def quarantine(self, segment: Segment) -> None:
        """Put a segment aside that storage will not take; `pending` returns it after the next start. Raises OSError."""
        segment.path.rename(segment.path.with_name(f"quarantine-{segment.number:012d}"))
        with self._mutex:
            self._since.pop(segment.number, None)

    @staticmethod
    def read(segment: Segment) -> list[Record]:
        """Return the records of a segment. Raises OSError."""
        return list(read_segment(segment.path, segment.number))

    def close(self) -> None:
        """Close files and give up the lock. What is pending stays for the next process. Idempotent."""
        if self._open is not None:
            self._open.close()
            self._open = None
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    def _batch_id(self, number: int) -> str:
        return f"{self._identity}-{number}"

    def _new_segment(self) -> SegmentFile:
        path = self._folder / _file_name(self._next_number)
        with self._mutex:
            spare = self._spares.popleft() if self._spares else None
        try:
            segment = self._opened(path, spare)
        except OSError:
            if spare is not None:
                with contextlib.suppress(OSError):
                    spare.unlink(missing_ok=True)  # nobody else would before the next start
            raise
        self._next_number += 1
        return segment

    def _opened(self, path: Path, spare: Path | None) -> SegmentFile:
        segment = SegmentFile(spare or path, self._next_number)
        try:
            if spare is not None:
                spare.rename(path)
                segment.path = path
            _sync_folder(self._folder)
        except OSError:
            segment.close()
            raise
        return segment

    def _recover(self, released: int) -> list[Segment]:
        found = []
        for path in sorted([*self._folder.glob("quarantine-*"), *self._folder.glob("segment-*")]):
            number = _number(path)
            if number is None:
                continue  # somebody else's
            self._next_number = max(self._next_number, number + 1)  # also of what is dropped: it may be stored
            segment = self._recovered_segment(path, number)
            stored = number <= released and path.name == _file_name(number)
            if segment is None and not stored and begins_unreadably(path):
                # A write that a crash cut short, which was never acknowledged, or damage: they look alike.
                _log.warning("journal_segment_unreadable", segment=path.name, bytes=path.stat().st_size)
            if segment is None or stored:
                path.unlink()
            else:
                found.append(segment)
        for path in self._folder.glob("spare-*"):
            path.unlink()
        self._closed_bytes = sum(segment.bytes for segment in found)
        self._since = {segment.number: segment.path.stat().st_mtime for segment in found}
        if found:
            _log.info("journal_recovered", segments=len(found), bytes=self._closed_bytes)
        return found

    def _recovered_segment(self, path: Path, number: int) -> Segment | None:
        """Read what a crash left; None when nothing can be: nothing was ever acknowledged, or all of it is damaged."""
        items: Counter[Signal] = Counter()
        size = damaged = 0
        for place, record in locate_records(path, number):
            damaged = place - FIRST_RECORD - size
            items[record.signal] += record.items
            size += len(record.body) + RECORD_OVERHEAD
        if damaged:
            _log.error("journal_damaged", segment=path.name, bytes_lost=damaged)
        return Segment(number, self._batch_id(number), path, size, items) if size else None


def _number(path: Path) -> int | None:
    """Return which segment a file's name says it is."""
    text = path.name.rpartition("-")[2]
    number = int(text) if text.isascii() and text.isdigit() else None
    return number if number is not None and path.name in (_file_name(number), f"quarantine-{number:012d}") else None


def _file_name(number: int) -> str:
    return f"segment-{number:012d}"


def _lock(path: Path) -> int:
    """Take the folder for this process. The lock ends with the process, however it ends."""
    fd = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        raise JournalLocked(f"{path.parent} is in use by another process") from error
    return fd


def _identity(path: Path) -> str:
    """Return what the ids of this journal's batches begin with; made once, and durable before anything is stored."""
    known = path.read_text().strip() if path.exists() else ""
    if known:
        return known
    made, draft = uuid.uuid4().hex, path.with_suffix(".draft")
    with draft.open("w") as file:
        file.write(made)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    _sync_folder(path.parent)
    return made


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
