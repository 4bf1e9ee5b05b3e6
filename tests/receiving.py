"""A real pipeline on a real journal, whose storage is a list of the batches that were written."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pyarrow as pa
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from collector.journal.checkpoint import Checkpoint
from collector.journal.journal import Journal
from collector.pipeline.ingest import IngestPipeline, IngestSettings
from collector.pipeline.ledger import Ledger
from collector.pipeline.store import StoreSettings, StoreStage
from storage.api import Batch
from storage.schemas import LOGS, SPANS

NOW = 1_800_000_000 * 10**9


class BatchList:
    """A Writer that keeps what it is given."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []

    def write(self, batch: Batch) -> None:
        self.batches.append(batch)


class Received:
    """The pipeline to hand to a receiver; `spans` and `logs` close it and tell what it stored."""

    def __init__(self, folder: Path, journal_cap_bytes: int) -> None:
        self.ledger = Ledger()
        self._writer = BatchList()
        journal = Journal(folder / "journal", journal_cap_bytes)
        store = StoreStage(StoreSettings(), journal, Checkpoint(folder / "checkpoint.json"), self.ledger, self._writer)
        self.ingest = IngestPipeline(IngestSettings(), journal, self.ledger, store)
        self._is_open = True
        self.ingest.start()

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            self.ingest.close()

    def spans(self) -> pa.Table:
        self.close()
        return pa.concat_tables([SPANS.empty_table(), *(batch.spans for batch in self._writer.batches)])

    def logs(self) -> pa.Table:
        self.close()
        return pa.concat_tables([LOGS.empty_table(), *(batch.logs for batch in self._writer.batches)])


@contextmanager
def receiving(folder: Path, journal_cap_bytes: int = 2**28) -> Iterator[Received]:
    """Run a pipeline in a folder."""
    received = Received(folder, journal_cap_bytes)
    try:
        yield received
    finally:
        received.close()


def traces_request(spans: int, seed: int = 0) -> bytes:
    """Return a serialised request of valid spans named span-0, span-1, …; ids differ by seed."""
    random = Random(seed)
    scope = ScopeSpans(
        spans=[
            Span(
                trace_id=random.randbytes(16),
                span_id=random.randbytes(8),
                name=f"span-{number}",
                start_time_unix_nano=NOW,
                end_time_unix_nano=NOW + 1,
            )
            for number in range(spans)
        ]
    )
    return ExportTraceServiceRequest(resource_spans=[ResourceSpans(scope_spans=[scope])]).SerializeToString()


def logs_request(records: int) -> bytes:
    """Return a serialised request of log records."""
    bodies = [AnyValue(string_value=f"log-{number}") for number in range(records)]
    scope = ScopeLogs(log_records=[LogRecord(time_unix_nano=NOW, body=body) for body in bodies])
    return ExportLogsServiceRequest(resource_logs=[ResourceLogs(scope_logs=[scope])]).SerializeToString()
