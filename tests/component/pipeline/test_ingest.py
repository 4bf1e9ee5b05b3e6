"""The pipeline over a real engine: answers, durability, repeats, storage outages, restarts."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.errors import Refused, Rejected
from collector.journal.checkpoint import Checkpoint
from collector.journal.journal import Journal
from collector.pipeline.api import Outcome, Request
from collector.pipeline.batching import BatchLimits
from collector.pipeline.ingest import IngestPipeline, IngestSettings
from collector.pipeline.ledger import Ledger
from collector.pipeline.store import LEDGER, RELEASED, StoreSettings, StoreStage
from storage.agents import AgentStorage
from storage.api import Batch
from storage.errors import StorageRejected, StorageUnavailable
from storage.queries import LogQuery, Signal, TimeRange

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
        deadline = time.monotonic() + 10
        while any(totals["pending"] for totals in self.ledger.snapshot().values()):
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def totals(self, signal: Signal = Signal.TRACES) -> tuple[int, int, dict[str, int], int]:
        totals = self.ledger.snapshot()[signal]
        assert totals["received"] == totals["stored"] + sum(totals["rejected"].values()) + totals["pending"]
        return totals["received"], totals["stored"], totals["rejected"], totals["pending"]


@pytest.fixture
def running(tmp_path: Path, engine: AgentStorage) -> Iterator[Running]:
    engine.purge()
    instance = Running(tmp_path / "journal", engine)
    instance.start()
    yield instance
    instance.writer.error = None
    instance.stop()


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
    return engine.get_traces([number.to_bytes(16)]).num_rows


def test_what_is_acknowledged_can_be_queried(running: Running) -> None:
    assert running.send(Signal.TRACES, trace(1, spans=3)) == Outcome(3)
    assert running.send(Signal.LOGS, logs("one", "two")) == Outcome(2)
    running.settle()
    assert stored_spans(running.engine, 1) == 3
    bodies = running.engine.find_logs(LogQuery(ALL_TIME)).records["body"].to_pylist()
    assert sorted(bodies) == [b"one", b"two"]
    assert running.totals() == (3, 3, {}, 0)


def test_what_can_never_be_stored_is_named_and_the_rest_is_kept(running: Running) -> None:
    outcome = running.send(Signal.TRACES, trace(2, spans=2, bad_trace_ids=3, bad_span_ids=1))
    assert (outcome.accepted, outcome.rejected) == (2, 4)
    assert "3 spans rejected: trace_id must be 16 bytes" in outcome.message
    assert "1 spans rejected: span_id must be 8 bytes" in outcome.message
    running.settle()
    assert stored_spans(running.engine, 2) == 2
    assert running.totals() == (6, 2, {"invalid_trace_id": 3, "invalid_span_id": 1}, 0)


def test_log_records_sent_as_traces_are_told_where_they_belong(running: Running) -> None:
    outcome = running.send(Signal.TRACES, logs("lost", "found"))
    assert (outcome.accepted, outcome.rejected) == (0, 2)
    assert "/v1/logs" in outcome.message


def test_a_log_record_with_a_bad_id_is_kept_without_it(running: Running) -> None:
    assert running.send(Signal.LOGS, logs("kept", trace_id=b"short")) == Outcome(1)
    running.settle()
    assert running.engine.find_logs(LogQuery(ALL_TIME)).records["trace_id"].to_pylist() == [b""]


def test_a_malformed_request_is_rejected_and_its_neighbours_are_not(running: Running) -> None:
    futures = [running.submit(Signal.TRACES, trace(10 + n) if n % 3 else b"\xff\xff\xff") for n in range(30)]
    for number, future in enumerate(futures):
        if number % 3:
            assert future.result(10) == Outcome(2)
        else:
            with pytest.raises(Rejected, match="not an ExportTraceServiceRequest"):
                future.result(10)
    running.settle()
    assert all(stored_spans(running.engine, 10 + n) == 2 for n in range(30) if n % 3)


def test_a_resource_that_is_no_message_is_malformed(running: Running) -> None:
    with pytest.raises(Rejected):
        running.send(Signal.TRACES, b"\x0a\x04\x0a\x02\x0a\x7f")


def test_an_empty_request_succeeds(running: Running) -> None:
    assert running.send(Signal.TRACES, b"") == Outcome(0)


def test_text_that_is_not_utf8_is_repaired(running: Running) -> None:
    body = trace(3, spans=1).replace(b"work", b"w\xffrk")
    assert running.send(Signal.TRACES, body) == Outcome(1)
    running.settle()
    assert running.engine.get_traces([(3).to_bytes(16)])["name"].to_pylist() == ["w\ufffdrk"]


def test_a_trace_request_sent_again_is_stored_once_also_while_the_first_is_under_way(running: Running) -> None:
    body = trace(4)
    assert [future.result(10) for future in [running.submit(Signal.TRACES, body) for _ in range(5)]] == [Outcome(2)] * 5
    running.settle()
    assert running.totals() == (10, 2, {"duplicate": 8}, 0)
    assert stored_spans(running.engine, 4) == 2
    running.engine.purge()
    running.pipeline.forget_recent()
    assert running.send(Signal.TRACES, body) == Outcome(2)
    running.settle()
    assert stored_spans(running.engine, 4) == 2


def test_equal_log_requests_are_two_events(running: Running) -> None:
    body = logs("tick")
    running.send(Signal.LOGS, body)
    running.send(Signal.LOGS, body)
    running.settle()
    assert running.totals(Signal.LOGS) == (2, 2, {}, 0)


def test_an_outage_of_storage_does_not_reach_clients_and_loses_nothing(running: Running) -> None:
    running.writer.error = StorageUnavailable("gone")
    for number in range(20, 60):
        assert running.send(Signal.TRACES, trace(number)) == Outcome(2)
        if number % 10 == 0:
            time.sleep(0.05)  # several batches
    assert running.totals()[3] == 80
    assert running.store.status.failing_since is not None
    running.writer.error = None
    running.settle()
    assert all(stored_spans(running.engine, number) == 2 for number in range(20, 60))
    assert running.store.status.failing_since is None


def test_at_the_cap_clients_are_told_to_come_back(running: Running) -> None:
    running.writer.error = StorageUnavailable("gone")
    hints = []
    for number in range(100, 400):
        try:
            running.send(Signal.TRACES, trace(number, spans=300))
        except Refused as error:
            hints.append(error.retry_after_seconds)
    assert hints
    assert min(hints) > 0
    accepted = running.totals()[0]
    running.writer.error = None
    running.settle()
    assert running.totals() == (accepted, accepted, {}, 0)
    assert running.send(Signal.TRACES, trace(999)) == Outcome(2)


def test_a_restart_stores_what_was_acknowledged_before(running: Running) -> None:
    running.writer.error = StorageUnavailable("gone")
    for number in range(60, 70):
        running.send(Signal.TRACES, trace(number))
    running.stop(flush_seconds=0.1)
    running.writer.error = None
    running.start()
    running.settle()
    assert all(stored_spans(running.engine, number) == 2 for number in range(60, 70))
    assert running.totals() == (20, 20, {}, 0)


def test_a_crash_between_the_write_and_its_record_stores_nothing_twice(running: Running) -> None:
    def crash() -> None:
        running.writer.error = StorageUnavailable("killed")
        raise StorageUnavailable("killed after the write")

    running.writer.after_write = crash
    running.send(Signal.LOGS, logs("once"))
    time.sleep(0.3)
    running.stop(flush_seconds=0.1)
    running.writer.after_write = lambda: None
    running.writer.error = None
    running.start()
    running.settle()
    assert running.engine.find_logs(LogQuery(ALL_TIME)).records.num_rows == 1
    assert running.totals(Signal.LOGS) == (1, 1, {}, 0)


def test_a_batch_that_storage_never_takes_is_kept_aside_and_does_not_block_others(running: Running) -> None:
    running.writer.error = StorageRejected("never")
    running.send(Signal.TRACES, trace(70))
    deadline = time.monotonic() + 5
    while not running.store.status.quarantined_batches:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    running.writer.error = None
    running.send(Signal.TRACES, trace(71))
    deadline = time.monotonic() + 5
    while running.totals()[1] != 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert stored_spans(running.engine, 71) == 2
    assert running.totals()[3] == 2  # the other is still pending: it is not lost
    running.stop()
    running.start()
    running.settle()
    assert stored_spans(running.engine, 70) == 2


def test_after_close_requests_are_refused(running: Running) -> None:
    running.stop()
    with pytest.raises(Refused, match="shutting down"):
        running.submit(Signal.TRACES, trace(1))
    running.start()
