"""What the pipeline answers, and what can be queried then."""

from typing import Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

from collector.errors import Rejected
from collector.pipeline.api import Outcome
from storage.queries import LogQuery, Signal
from tests.component.pipeline.restartable import ALL_TIME, Running, logs, stored_spans, trace


def test_what_is_acknowledged_can_be_queried(running: Running) -> None:
    assert running.send(Signal.TRACES, trace(1, spans=3)) == Outcome(3)
    assert running.send(Signal.LOGS, logs("one", "two")) == Outcome(2)
    running.settle()
    assert stored_spans(running.engine, 1) == 3
    bodies = running.engine.find_logs(LogQuery(ALL_TIME)).records["body"].to_pylist()
    assert sorted(bodies) == [b"one", b"two"]
    assert running.totals() == (3, 3, {}, 0)


def test_an_empty_request_succeeds(running: Running) -> None:
    assert running.send(Signal.TRACES, b"") == Outcome(0)


def test_what_can_never_be_stored_is_named_and_the_rest_is_kept(running: Running) -> None:
    outcome = running.send(Signal.TRACES, trace(2, spans=2, bad_trace_ids=3, bad_span_ids=1))
    assert (outcome.accepted, outcome.rejected) == (2, 4)
    assert "3 spans rejected: trace_id must be 16 bytes" in outcome.message
    assert "1 span rejected: span_id must be 8 bytes" in outcome.message
    running.settle()
    assert stored_spans(running.engine, 2) == 2
    assert running.totals() == (6, 2, {"invalid_trace_id": 3, "invalid_span_id": 1}, 0)


def test_log_records_sent_as_traces_are_told_where_they_belong(running: Running) -> None:
    outcome = running.send(Signal.TRACES, logs("lost", "found"))
    assert (outcome.accepted, outcome.rejected) == (0, 2)
    assert "/v1/logs" in outcome.message


@pytest.mark.parametrize(
    "span",
    [
        {"name": "ok"},
        {"name": "GET /users", "attributes": [KeyValue(key="a", value=AnyValue(string_value="b"))]},
        {"name": "*", "attributes": [KeyValue(key="a" * 127, value=AnyValue())]},
        {"attributes": [KeyValue(key="a", value=AnyValue())]},
    ],
)
def test_spans_sent_as_logs_are_told_where_they_belong(running: Running, span: dict[str, Any]) -> None:
    misplaced = Span(trace_id=b"\1" * 16, span_id=b"\2" * 8, start_time_unix_nano=5, end_time_unix_nano=9, **span)
    body = TracesData(resource_spans=[{"scope_spans": [{"spans": [misplaced]}]}]).SerializeToString()
    outcome = running.send(Signal.LOGS, body + logs("kept"))
    assert outcome == Outcome(1, 1, "1 span rejected: spans belong to the traces endpoint (/v1/traces)")
    running.settle()
    assert running.engine.find_logs(LogQuery(ALL_TIME)).records["body"].to_pylist() == [b"kept"]
    assert running.totals(Signal.LOGS) == (2, 1, {"span_sent_as_log": 1}, 0)


@pytest.mark.parametrize(
    "body", [None, AnyValue(), AnyValue(string_value="ok"), AnyValue(bool_value=False), AnyValue(bytes_value=b"")]
)
@pytest.mark.parametrize("trace_id", [b"", b"\n", b"\n\1a\x12", b"\n\2ab", b"\n" * 16])
def test_a_log_record_without_a_time_is_kept(running: Running, body: AnyValue | None, trace_id: bytes) -> None:
    record = LogRecord(body=body, trace_id=trace_id)
    sent = LogsData(resource_logs=[{"scope_logs": [{"log_records": [record]}]}]).SerializeToString()
    assert running.send(Signal.LOGS, sent) == Outcome(1)


def test_a_log_record_with_a_bad_id_is_kept_without_it(running: Running) -> None:
    assert running.send(Signal.LOGS, logs("kept", trace_id=b"short")) == Outcome(1)
    running.settle()
    assert running.engine.find_logs(LogQuery(ALL_TIME)).records["trace_id"].to_pylist() == [b""]


def test_text_that_is_not_utf8_is_repaired(running: Running) -> None:
    body = trace(3, spans=1).replace(b"work", b"w\xffrk")
    assert running.send(Signal.TRACES, body) == Outcome(1)
    running.settle()
    assert running.engine.get_traces([(3).to_bytes(16)])["name"].to_pylist() == ["w\ufffdrk"]


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
