"""The thread that enforces retention, over the real engine."""

import time

from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, TracesData

from collector.retention import RetentionRunner
from storage.agents import AgentStorage
from storage.api import Batch, RetentionPolicy
from storage.queries import Signal
from storage.schemas import LOGS
from tests.stored import table
from tests.waiting import until

DAY_NS = 86_400 * 10**9


def span(start: int) -> TracesData:
    one = Span(trace_id=bytes(15) + b"\1", span_id=bytes(7) + b"\1", name="old", start_time_unix_nano=start)
    return TracesData(resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=[one])])])


def test_what_is_over_age_goes_without_being_asked_for(engine: AgentStorage) -> None:
    engine.purge()
    old = time.time_ns() - 10 * DAY_NS
    spans = table(Signal.TRACES, span(old), received_unix_nano=old)
    engine.write(Batch("old", spans, LOGS.empty_table()))
    assert engine.services()

    runner = RetentionRunner(engine, RetentionPolicy(spans_days=7), period_seconds=0.05)
    runner.start()
    try:
        until(lambda: engine.get_traces([bytes(15) + b"\1"]).num_rows == 0)
        assert runner.is_alive
    finally:
        runner.close()

    assert not runner.is_alive
