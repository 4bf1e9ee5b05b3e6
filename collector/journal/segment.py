"""The segment file: a header, then records; one segment is one storage batch.

A record is `<size u32> <checksum u64> <segment u64> <received u64> <items u32> <signal u8>` and the request's body. The
checksum (XXH3-64) covers everything after it. Files are reused without being cleared, because overwriting allocated
blocks needs no file-system metadata (an fsync takes a third of the time of an appending one); the segment number in
each record tells the live records from what an earlier segment left behind. The header is for people who look.
"""

import contextlib
import mmap
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import xxhash

from storage.queries import Signal

_MAGIC = b"BATONJ01"
_HEADER = struct.Struct("<8sQ")
_PREFIX = struct.Struct("<IQ")
_FIELDS = struct.Struct("<QQIB")
FIRST_RECORD = _HEADER.size
RECORD_OVERHEAD = _PREFIX.size + _FIELDS.size
_MOST_CANDIDATES = 10_000  # after damage; what an earlier segment left may look like many
_SIGNALS = {Signal.TRACES: 1, Signal.LOGS: 2}
_SIGNAL_OF = {code: signal for signal, code in _SIGNALS.items()}


@dataclass(frozen=True, slots=True)
class Record:
    """One request in the journal. `items` counts its storable spans or log records."""

    signal: Signal
    received_unix_nano: int
    items: int
    body: bytes


class SegmentFile:
    """An open segment that records are appended to. Not thread-safe."""

    def __init__(self, path: Path, number: int) -> None:
        """Create or reuse the file at `path` as segment `number`. Raises OSError."""
        self.path = path
        self.number = number
        self._fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(self._fd, _HEADER.pack(_MAGIC, number), 0)
        except OSError:
            os.close(self._fd)
            raise
        self.size = _HEADER.size

    def append(self, records: list[Record]) -> None:
        """Write records and force them to disk. Raises OSError; then none of them counts as written."""
        chunks: list[bytes] = []
        for record in records:
            chunks += _encode(self.number, record)
        end = self.size
        try:
            end = self._write(chunks, end)
            os.fdatasync(self._fd)
        except OSError:
            self._erase_tail()
            raise
        self.size = end

    def _write(self, chunks: list[bytes], position: int) -> int:
        for start in range(0, len(chunks), 512):  # IOV_MAX is 1024
            part = chunks[start : start + 512]
            wanted = sum(map(len, part))
            written = os.pwritev(self._fd, part, position)
            if written < wanted:  # a short write: the rest tells the error
                rest = b"".join(part)[written:]
                while rest:
                    done = os.pwrite(self._fd, rest, position + written)
                    written += done
                    rest = rest[done:]
            position += wanted
        return position

    def _erase_tail(self) -> None:
        """Cut off what a failed append may have left, so that a replay cannot meet it."""
        os.ftruncate(self._fd, self.size)

    def close(self) -> None:
        """Close the file. Idempotent. An error says nothing about what was appended, which is on disk."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            with contextlib.suppress(OSError):
                os.close(fd)


def _encode(segment: int, record: Record) -> tuple[bytes, bytes]:
    fields = _FIELDS.pack(segment, record.received_unix_nano, record.items, _SIGNALS[record.signal])
    digest = xxhash.xxh3_64(fields)
    digest.update(record.body)
    return _PREFIX.pack(len(record.body), digest.intdigest()) + fields, record.body


def read_segment(path: Path, number: int) -> Iterator[Record]:
    """Yield the live records in order, see `locate_records`."""
    return (record for _, record in locate_records(path, number))


def locate_records(path: Path, number: int) -> Iterator[tuple[int, Record]]:
    """Yield each live record with its place in the file, in order.

    Records end where a write was torn. What the disk damaged is passed over: a record proves itself, so the next one
    is looked for by its segment number. Raises OSError.
    """
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size <= FIRST_RECORD:
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            place, looked_at = FIRST_RECORD, 0
            while place >= 0 and looked_at < _MOST_CANDIDATES:
                record = _record_at(data, place, number)
                if record is None:
                    looked_at += 1
                    place = _next_candidate(data, place + 1, number)
                else:
                    yield place, record
                    place += RECORD_OVERHEAD + len(record.body)


def begins_unreadably(path: Path) -> bool:
    """Tell whether what stands in the first record's place is no record, not even of an earlier segment.

    Raises OSError.
    """
    with path.open("rb") as file:
        head = file.read(FIRST_RECORD + RECORD_OVERHEAD)[FIRST_RECORD:]
    if len(head) < RECORD_OVERHEAD or not any(head):
        return any(head)
    number, *_ = _FIELDS.unpack_from(head, _PREFIX.size)
    place, _ = next(locate_records(path, number), (-1, None))
    return place != FIRST_RECORD


def _record_at(data: mmap.mmap, place: int, number: int) -> Record | None:
    start = place + RECORD_OVERHEAD
    if start > len(data):
        return None
    size, checksum = _PREFIX.unpack_from(data, place)
    segment, received, items, code = _FIELDS.unpack_from(data, place + _PREFIX.size)
    if segment != number or code not in _SIGNAL_OF or start + size > len(data):
        return None
    body = data[start : start + size]
    digest = xxhash.xxh3_64(data[place + _PREFIX.size : start])
    digest.update(body)
    return Record(_SIGNAL_OF[code], received, items, body) if digest.intdigest() == checksum else None


def _next_candidate(data: mmap.mmap, place: int, number: int) -> int:
    """Return the first place from `place` on where a record of the segment may start, -1 when there is none."""
    found = data.find(number.to_bytes(8, "little"), place + _PREFIX.size)
    return found - _PREFIX.size if found >= 0 else -1
