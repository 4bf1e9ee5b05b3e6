"""The demo's story: the same for the same seed, whole traces, and the transfers that it promises."""

import random
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, LogRecordExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from collector.demo.cast import VERSIONS
from collector.demo.run import DemoFailed, Sent, describe, send, wait_until_shown
from collector.demo.stage import Stage
from collector.demo.story import SCENES, Told, tell
from collector.processors.agent_transfers.detect import detect, make_options
from collector.processors.agent_transfers.model import Span, Transfer

NOW = 1_700_000_000_000_000_000


class Story:
    def __init__(self, seed: int, conversations: int) -> None:
        self.span_exporter, self.log_exporter = InMemorySpanExporter(), InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
        stage = Stage(self.exporters, random.Random(seed), NOW)
        self.told: list[Told] = list(tell(stage, conversations))
        stage.flush()
        self.spans: Sequence[ReadableSpan] = self.span_exporter.get_finished_spans()
        self.logs: Sequence[ReadableLogRecord] = self.log_exporter.get_finished_logs()

    def exporters(self) -> tuple[SpanExporter, LogRecordExporter]:
        return self.span_exporter, self.log_exporter

    def transfers(self, told: Told) -> list[Transfer]:
        spans = [as_span(span) for span in self.spans if f"{span.context.trace_id:032x}" == told.trace_id]
        return detect(spans, [], make_options())


def as_span(span: ReadableSpan) -> Span:
    attributes = dict(span.attributes or {})
    return Span(
        trace_id=span.context.trace_id.to_bytes(16),
        span_id=span.context.span_id.to_bytes(8),
        parent_span_id=span.parent.span_id.to_bytes(8) if span.parent else b"",
        name=span.name,
        kind=span.kind.value + 1,
        start_time_unix_nano=span.start_time or 0,
        end_time_unix_nano=span.end_time or 0,
        status_code=span.status.status_code.value,
        status_message=span.status.description or "",
        attributes={key: list(value) if isinstance(value, tuple) else value for key, value in attributes.items()},  # type: ignore[misc]
        events=(),
        links=(),
        service_name=str(span.resource.attributes["service.name"]),
        scope_name=span.instrumentation_scope.name if span.instrumentation_scope else "",
        resource_attributes={},
    )


@pytest.fixture(scope="module")
def story() -> Story:
    return Story(seed=7, conversations=len(SCENES))


def test_the_same_seed_tells_the_same_story(story: Story) -> None:
    def written(told: Story) -> list[tuple[object, ...]]:
        spans = [(s.name, s.context.trace_id, s.context.span_id, s.start_time, s.end_time) for s in told.spans]
        return sorted(spans, key=str)

    assert written(Story(seed=7, conversations=len(SCENES))) == written(story)
    assert written(Story(seed=8, conversations=len(SCENES))) != written(story)


def test_every_turn_is_one_whole_trace_in_the_past(story: Story) -> None:
    traces = defaultdict(list)
    for span in story.spans:
        traces[f"{span.context.trace_id:032x}"].append(span)

    assert set(traces) == {told.trace_id for told in story.told}
    for spans in traces.values():
        ids = {span.context.span_id for span in spans}
        assert [span.name for span in spans if span.parent is None] == ["POST /chat"]
        assert all(span.parent.span_id in ids for span in spans if span.parent)
        assert all(NOW > (span.end_time or NOW) >= (span.start_time or NOW) for span in spans)


def test_every_service_and_every_scene_takes_part(story: Story) -> None:
    assert {span.resource.attributes["service.name"] for span in story.spans} == set(VERSIONS)
    assert {scene.title for scene in SCENES} == {told.title for told in story.told}


def test_log_records_belong_to_spans(story: Story) -> None:
    ids = {span.context.span_id for span in story.spans}

    assert story.logs
    assert all(log.log_record.span_id in ids for log in story.logs)
    assert any(log.log_record.body == "[Agent Transfer] triage_agent → billing_agent" for log in story.logs)


def test_a_reader_finds_the_promised_transfers(story: Story) -> None:
    for told in story.told:
        found = story.transfers(told)
        rows = [(row.from_agent, row.to_agent, row.kind, row.completed) for row in found]
        assert len(rows) == told.transfers, (told.title, rows)


def test_nothing_listens() -> None:
    with pytest.raises(DemoFailed, match="start Baton first"):
        send("http://localhost:1", 1, 1)
    with pytest.raises(DemoFailed, match="write host:port"):
        send("localhost", 1, 1)


def test_a_server_that_takes_nothing() -> None:
    """It listens and answers, but not for telemetry."""
    with ThreadPoolExecutor(1) as threads:
        server = grpc.server(threads)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            with pytest.raises(DemoFailed, match="did not take everything"):
                send(f"127.0.0.1:{port}", 1, 1)
        finally:
            server.stop(None).wait()


def test_links_go_where_something_answers(story: Story) -> None:
    sent = Sent(tuple(story.told), 1, 1)
    assert "/trace/" not in describe(sent, "http://q", None)
    assert "http://q/api/v1/traces?service=web-frontend" in describe(sent, "http://q", None)
    assert f"http://ui/trace/{story.told[0].trace_id}" in describe(sent, "http://q", "http://ui")


def test_links_that_lead_nowhere_yet_are_said(story: Story) -> None:
    sent = Sent(tuple(story.told), 1, 1)
    assert not wait_until_shown(sent, "http://127.0.0.1:1")
    assert "some seconds after the traces" in describe(sent, "http://q", None, shown=False)
    assert "some seconds after the traces" not in describe(sent, "http://q", None)
