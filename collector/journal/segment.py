"""The segment file: a header, then records; one segment is one storage batch.

A record is `<size u32> <checksum u64> <segment u64> <received u64> <items u32> <signal u8>` and the request's body. The
checksum (XXH3-64) covers everything after it. Files are reused without being cleared, because overwriting allocated
blocks needs no file-system metadata (an fsync takes a third of the time of an appending one); the segment number in
each record tells the live records from what an earlier segment left behind.
"""

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
RECORD_OVERHEAD = _PREFIX.size + _FIELDS.size
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
        """Close the file. Idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _encode(segment: int, record: Record) -> tuple[bytes, bytes]:
    fields = _FIELDS.pack(segment, record.received_unix_nano, record.items, _SIGNALS[record.signal])
    digest = xxhash.xxh3_64(fields)
    digest.update(record.body)
    return _PREFIX.pack(len(record.body), digest.intdigest()) + fields, record.body


def segment_number(path: Path) -> int | None:
    """Return the number in the file's header, or None when it is not a segment."""
    with path.open("rb") as file:
        header = file.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return None
    magic, number = _HEADER.unpack(header)
    return number if magic == _MAGIC else None


def read_segment(path: Path, number: int) -> Iterator[Record]:
    """Yield the live records in order; ends at the first one that is torn, stale or of another segment."""
    with path.open("rb") as file:
        file.seek(_HEADER.size)
        while True:
            head = file.read(RECORD_OVERHEAD)
            if len(head) < RECORD_OVERHEAD:
                return
            size, checksum = _PREFIX.unpack_from(head)
            fields = head[_PREFIX.size :]
            segment, received, items, code = _FIELDS.unpack(fields)
            if segment != number or code not in _SIGNAL_OF:
                return
            body = file.read(size)
            digest = xxhash.xxh3_64(fields)
            digest.update(body)
            if len(body) < size or digest.intdigest() != checksum:
                return
            yield Record(_SIGNAL_OF[code], received, items, body)
