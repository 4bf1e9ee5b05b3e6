"""Storage outages, a full journal, restarts and crashes: what is acknowledged is stored, and once."""

import errno
import threading
import time

import pytest
from structlog.testing import capture_logs

from collector.errors import Refused
from collector.journal.journal import Journal
from collector.pipeline import ingest
from collector.pipeline.api import Outcome
from storage.errors import StorageRejected, StorageUnavailable
from storage.queries import LogQuery, Signal
from tests.component.pipeline.restartable import ALL_TIME, Running, logs, stored_spans, trace
from tests.waiting import until


def test_an_outage_of_storage_does_not_reach_clients_and_loses_nothing(running: Running) -> None:
    running.writer.error = StorageUnavailable("gone")
    for number in range(20, 60):
        assert running.send(Signal.TRACES, trace(number)) == Outcome(2)
        if number % 10 == 0:
            time.sleep(0.05)  # several batches
    assert running.totals()[3] == 80
    until(lambda: running.store.status.failing_since is not None)
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


def test_a_restart_forgets_nothing_that_was_rejected_after_the_last_batch(running: Running) -> None:
    running.send(Signal.TRACES, trace(78))
    running.settle()
    running.send(Signal.TRACES, trace(79, spans=0, bad_trace_ids=3))
    running.stop()
    running.start()
    assert running.totals() == (5, 2, {"invalid_trace_id": 3}, 0)


def test_a_crash_between_the_write_and_its_record_stores_nothing_twice(running: Running) -> None:
    def crash() -> None:
        running.writer.error = StorageUnavailable("killed")
        raise StorageUnavailable("killed after the write")

    running.writer.after_write = crash
    running.send(Signal.LOGS, logs("once"))
    until(lambda: running.writer.error is not None)
    running.stop(flush_seconds=0.1)
    running.writer.after_write = lambda: None
    running.writer.error = None
    running.start()
    running.settle()
    assert running.engine.find_logs(LogQuery(ALL_TIME)).records.num_rows == 1
    assert running.totals(Signal.LOGS) == (1, 1, {}, 0)


def test_a_request_whose_answer_a_crash_kept_back_is_stored_once_when_it_is_sent_again(running: Running) -> None:
    running.writer.error = StorageUnavailable("gone")
    body = trace(77)
    running.send(Signal.TRACES, body)  # on disk; a crash now, and the client has no answer
    running.stop(flush_seconds=0.1)
    running.writer.error = None
    running.start()
    assert running.send(Signal.TRACES, body) == Outcome(2)
    running.settle()
    assert running.totals() == (4, 2, {"duplicate": 2}, 0)


def test_a_batch_that_storage_never_takes_is_kept_aside_and_does_not_block_others(running: Running) -> None:
    running.writer.error = StorageRejected("never")
    running.send(Signal.TRACES, trace(70))
    until(lambda: running.store.status.quarantined_batches > 0)
    running.writer.error = None
    running.send(Signal.TRACES, trace(71))
    until(lambda: running.totals()[1] == 2)
    assert stored_spans(running.engine, 71) == 2
    assert running.totals()[3] == 2  # the other is still pending: it is not lost
    running.stop()
    running.start()
    running.settle()
    assert stored_spans(running.engine, 70) == 2


def test_a_batch_that_something_unforeseen_fails_on_is_kept_aside_and_its_text_is_not_logged(running: Running) -> None:
    running.writer.error = KeyError("a user's text")
    with capture_logs() as lines:
        running.send(Signal.TRACES, trace(72))
        until(lambda: any(line["event"] == "batch_quarantined" for line in lines))
    assert running.store.status.quarantined_batches == 1
    assert [line["event"] for line in lines if line["log_level"] == "error"] == [
        "storage_write_failed",
        "storage_write_failed",
        "batch_quarantined",
    ]
    assert "KeyError" in repr(lines)
    assert "a user's text" not in repr(lines)
    running.writer.error = None
    running.send(Signal.TRACES, trace(73))
    until(lambda: running.totals()[1] == 2)
    assert running.pipeline.is_alive
    running.stop()
    running.start()
    running.settle()
    assert stored_spans(running.engine, 72) == 2


def test_a_batch_that_cannot_even_be_put_aside_is_tried_until_it_can(running: Running) -> None:
    running.writer.error = StorageRejected("never")
    in_the_way = running.folder / "quarantine-000000000000"
    in_the_way.mkdir()
    with capture_logs() as lines:
        running.send(Signal.TRACES, trace(75))
        until(lambda: any(line["event"] == "batch_not_quarantined" for line in lines))
        in_the_way.rmdir()
        until(lambda: running.store.status.quarantined_batches > 0)
    running.writer.error = None
    running.send(Signal.TRACES, trace(76))
    until(lambda: running.totals()[1] == 2)
    assert running.pipeline.is_alive


def test_the_repeat_of_a_request_that_could_not_be_written_is_not_acknowledged(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that waits too long sends again: both tries may wait together when the disk turns out to be full."""
    gate = threading.Event()

    def full_disk(*_: object) -> None:
        gate.wait(10)
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "append", full_disk)
        answers = [running.submit(Signal.TRACES, trace(81))]
        time.sleep(0.1)
        body = trace(82)
        answers += [running.submit(Signal.TRACES, body) for _ in range(2)]
        gate.set()
        for answer in answers:
            with pytest.raises(Refused, match="No space left"):
                answer.result(10)
    assert running.totals() == (0, 0, {}, 0)
    assert running.ledger.snapshot()["traces"]["refused"] == 6
    assert running.send(Signal.TRACES, body) == Outcome(2)
    running.settle()
    assert stored_spans(running.engine, 82) == 2


@pytest.mark.parametrize("step", ["kept_columns", "journal"])
def test_a_surprise_before_a_request_is_on_disk_is_not_counted(
    running: Running, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        if step == "journal":
            patched.setattr(Journal, "append", fail)
        else:
            patched.setattr(ingest, "kept_columns", fail)
        with pytest.raises(Refused, match="MemoryError"):
            running.send(Signal.TRACES, trace(80))
    assert running.send(Signal.TRACES, trace(80)) == Outcome(2)
    running.settle()
    assert (running.totals(), stored_spans(running.engine, 80)) == ((2, 2, {}, 0), 2)


def test_a_surprise_that_passes_costs_nothing(running: Running) -> None:
    failures = [MemoryError(), MemoryError()]

    def write() -> None:
        if failures:
            raise failures.pop()

    running.writer.after_write = write
    running.send(Signal.TRACES, trace(74))
    running.settle()
    assert (stored_spans(running.engine, 74), running.store.status.quarantined_batches) == (2, 0)


def test_after_close_requests_are_refused(running: Running) -> None:
    running.stop()
    with pytest.raises(Refused, match="shutting down"):
        running.submit(Signal.TRACES, trace(1))
    running.start()
