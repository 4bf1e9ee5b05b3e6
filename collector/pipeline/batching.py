"""When the open batch is closed, and what it holds: the rule that trades insert size for freshness."""

import time
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from collector.journal.segment import Record
from collector.otlp.contexts import Contexts
from collector.otlp.decode import Decoder
from collector.otlp.flatten import Received, flatten
from storage.queries import Signal
from storage.schemas import LOGS, SPANS

_SCHEMAS = {Signal.TRACES: SPANS, Signal.LOGS: LOGS}


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """A batch is closed at the first of these."""

    max_rows: int = 98_304
    max_bytes: int = 48 * 2**20
    max_age_seconds: float = 1.0
    # When little has come in for the batch, it waits no longer than this; twice as long soon after another one was
    # closed: a trickle of small requests then costs half as many inserts, each about 25 ms of processor time.
    quiet_seconds: float = 0.1
    little_rows: int = 2_000
    # When more than this many batches' rows wait for storage, answers are delayed a little, the more the fuller it is:
    # clients then settle at the pace of storage without ever standing still. One batch being written and one that
    # fills are the normal state: pacing from 1.5 on cost a tenth of the speed.
    paced_batches: float = 2.0
    max_pause_seconds: float = 0.04

    def pause_seconds(self, backlog_rows: int) -> float:
        """Return how long to wait before the next group of requests is made durable."""
        excess = backlog_rows / self.max_rows - self.paced_batches
        return self.max_pause_seconds * min(max(excess, 0.0), 1.0)


@dataclass(slots=True)
class OpenBatch:
    """Decoded requests that were made durable in the open segment. Owned by the journal stage."""

    started: float = field(default_factory=time.monotonic)
    follows: bool = False  # another one was closed a moment before
    rows: int = 0
    bytes: int = 0
    columns: dict[Signal, list[pa.RecordBatch]] = field(default_factory=lambda: {signal: [] for signal in Signal})
    times: dict[Signal, list[NDArray[np.uint64]]] = field(default_factory=lambda: {signal: [] for signal in Signal})

    def add(self, signal: Signal, columns: pa.RecordBatch, times: NDArray[np.uint64], rows: int, size: int) -> None:
        """Add decoded requests that are durable now."""
        self.columns[signal].append(columns)
        self.times[signal].append(times)
        self.rows += rows
        self.bytes += size

    def take(self, signal: Signal) -> Received | None:
        """Return what was added of a signal as one, and let go of the parts: they are as large again."""
        columns, times = self.columns[signal], self.times[signal]
        self.columns[signal] = []
        if not columns:
            return None
        merged = columns[0] if len(columns) == 1 else pa.Table.from_batches(columns).combine_chunks().to_batches()[0]
        return Received(merged, np.concatenate(times))

    @property
    def first_received_unix_nano(self) -> int:
        """When the first of the requests arrived; 0 without any."""
        return min((int(times[0]) for lists in self.times.values() for times in lists[:1]), default=0)

    def seconds_left(self, limits: BatchLimits, store_is_idle: bool) -> float:
        """Return how long the batch may stay open; zero or less means close it now."""
        if self.rows >= limits.max_rows or self.bytes >= limits.max_bytes:
            return 0.0
        little = store_is_idle and self.rows < limits.little_rows
        quiet_seconds = limits.quiet_seconds * (2 if self.follows else 1)
        age_limit = min(quiet_seconds, limits.max_age_seconds) if little else limits.max_age_seconds
        return self.started + age_limit - time.monotonic()


def tables(batch: OpenBatch, contexts: Contexts) -> dict[Signal, pa.Table]:
    """Flatten a batch to one table per signal; its columns are gone then."""
    result = {}
    for signal in Signal:
        received = batch.take(signal)
        result[signal] = flatten(signal, received, contexts) if received else _SCHEMAS[signal].empty_table()
    return result


def decode_records(decoder: Decoder, records: list[Record]) -> OpenBatch:
    """Decode a segment's records again, to exactly the batch that was made when they came in."""
    batch = OpenBatch()
    for signal in Signal:
        mine = [record for record in records if record.signal is signal]
        if mine:
            decoded = decoder.decode(signal, [record.body for record in mine])
            times = np.array([record.received_unix_nano for record in mine], np.uint64)
            rows = sum(record.items for record in mine)
            batch.add(signal, decoded.columns, times, rows, sum(len(record.body) for record in mine))
    return batch
