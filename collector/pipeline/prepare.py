"""Closed batches become tables on a thread of their own: while one is written, the next is made ready."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

import pyarrow as pa

from collector.journal.segment import Record
from collector.otlp.contexts import Contexts
from collector.otlp.decode import Decoder
from collector.pipeline.batching import OpenBatch, decode_records, tables
from storage.api import Batch
from storage.queries import Signal


class Processor(Protocol):
    """A step between decoding and storage. Pure and deterministic: a replayed batch must come out the same."""

    def process(self, spans: pa.Table, logs: pa.Table) -> tuple[pa.Table, pa.Table]:
        """Return the tables to store, in the schemas SPANS and LOGS."""
        ...


class AgentRows(Protocol):
    """Derives the agent rows of a batch, and hears when they can be queried."""

    def extract(self, spans: pa.Table, logs: pa.Table, batch_time_unix_nano: int) -> tuple[pa.Table, pa.Table]:
        """Return the AGENT_SPANS and AGENT_LOGS rows of a batch; pure and deterministic."""
        ...

    def stored(self, batch: Batch) -> None:
        """Note a batch that reads can see now."""
        ...


class Preparer:
    """Flattens batches and passes them through the processors, one after the other."""

    def __init__(self, processors: Sequence[Processor], agents: AgentRows | None) -> None:
        self._processors, self._agents = processors, agents
        self._decoder, self._contexts = Decoder(), Contexts()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="baton-prepare")

    def prepare(self, batch_id: str, decoded: OpenBatch) -> "Future[Batch]":
        """Make the tables of a batch ready; its decoded columns are let go of then."""
        return self._thread.submit(self._batch, batch_id, decoded)

    def prepare_again(self, batch_id: str, read: Callable[[], list[Record]]) -> "Future[Batch]":
        """Make the tables of a batch ready from its journal records; the future may fail with OSError."""
        return self._thread.submit(lambda: self._batch(batch_id, decode_records(self._decoder, read())))

    def close(self) -> None:
        """Leave out what has not begun, and end the thread."""
        self._thread.shutdown(cancel_futures=True)

    def _batch(self, batch_id: str, decoded: OpenBatch) -> Batch:
        flat = tables(decoded, self._contexts)
        spans, logs = flat[Signal.TRACES], flat[Signal.LOGS]
        for processor in self._processors:
            spans, logs = processor.process(spans, logs)
        time_unix_nano = decoded.first_received_unix_nano
        if self._agents is None:
            return Batch(batch_id, spans, logs, time_unix_nano=time_unix_nano)
        agent_spans, agent_logs = self._agents.extract(spans, logs, time_unix_nano)
        return Batch(batch_id, spans, logs, agent_spans, agent_logs, time_unix_nano)
