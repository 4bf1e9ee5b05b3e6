"""A pipeline over an engine that comes and goes, in a process that ends and starts again; and requests for it."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.journal.checkpoint import Checkpoint
from collector.journal.journal import Journal
from collector.pipeline.api import Outcome, Request
from collector.pipeline.batching import BatchLimits
from collector.pipeline.ingest import IngestPipeline, IngestSettings
from collector.pipeline.ledger import Ledger
from collector.pipeline.store import LEDGER, RELEASED, StoreSettings, StoreStage
from storage.agents import AgentStorage
from storage.api import Batch
from storage.queries import Signal, TimeRange
from tests.waiting import until

ALL_TIME = TimeRange(0, 2**64)


class Outage:
    """A writer that passes on to the engine unless told to fail, as a database that comes and goes."""

    def __init__(self, engine: AgentStorage) -> None:
        self._engine = engine
        self.error: Exception | None = None
        self.after_write: Callable[[], None] = lambda: None

    def write(self, batch: Batch) -> None:
        if self.error is not None:
            raise self.error
        self._engine.write(batch)
        self.after_write()


class Running:
    """A pipeline on a folder; `stop` and `start` again as a restarted process would."""

    def __init__(self, folder: Path, engine: AgentStorage) -> None:
        self.folder, self.engine = folder, engine
        self.writer = Outage(engine)
        self.cap = 1 << 22

    def start(self) -> None:
        checkpoint = Checkpoint(self.folder / "checkpoint.json")
        saved = checkpoint.load() if self.folder.exists() else {}
        journal = Journal(self.folder, self.cap, int(saved.get(RELEASED, -1)))
        self.ledger = Ledger(saved.get(LEDGER))
        for segment in journal.pending():
            self.ledger.recovered(segment.items)
        settings = StoreSettings(retry_seconds=0.05, max_retry_seconds=0.05)
        self.store = StoreStage(settings, journal, checkpoint, self.ledger, self.writer)
        limits = BatchLimits(max_age_seconds=0.2, quiet_seconds=0.02)
        self.pipeline = IngestPipeline(IngestSettings(batch=limits), journal, self.ledger, self.store)
        self.pipeline.start()

    def stop(self, flush_seconds: float = 5.0) -> None:
        self.pipeline.close(flush_seconds)

    def send(self, signal: Signal, body: bytes) -> Outcome:
        return self.submit(signal, body).result(10)

    def submit(self, signal: Signal, body: bytes) -> "Future[Outcome]":
        return self.pipeline.submit(Request(signal, body, "test"))

    def settle(self) -> None:
        until(lambda: not any(totals["pending"] for totals in self.ledger.snapshot().values()))

    def totals(self, signal: Signal = Signal.TRACES) -> tuple[int, int, dict[str, int], int]:
        totals = self.ledger.snapshot()[signal]
        assert totals["received"] == totals["stored"] + sum(totals["rejected"].values()) + totals["pending"]
        return totals["received"], totals["stored"], totals["rejected"], totals["pending"]


def trace(number: int, spans: int = 2, bad_trace_ids: int = 0, bad_span_ids: int = 0) -> bytes:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add().scope_spans.add()
    for index in range(spans):
        span = group.spans.add(trace_id=number.to_bytes(16), span_id=(index + 1).to_bytes(8), name="work")
        span.start_time_unix_nano = time.time_ns()
        span.end_time_unix_nano = span.start_time_unix_nano + 5
    for index in range(bad_trace_ids):
        group.spans.add(trace_id=bytes(16 if index % 2 else 7), span_id=b"12345678")
    for index in range(bad_span_ids):
        group.spans.add(trace_id=number.to_bytes(16), span_id=bytes(8 if index % 2 else 3))
    return request.SerializeToString()


def logs(*texts: str, trace_id: bytes = b"") -> bytes:
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add().scope_logs.add()
    for text in texts:
        record = group.log_records.add(observed_time_unix_nano=time.time_ns(), trace_id=trace_id)
        record.body.string_value = text
    return request.SerializeToString()


def stored_spans(engine: AgentStorage, number: int) -> int:
    return int(engine.get_traces([number.to_bytes(16)]).num_rows)
