"""The load's requests parse, are never alike, and stay well-formed traces."""

import time

import orjson
import pytest
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.bench.messages import SPREAD_NS, trace_request
from collector.bench.templates import logs_templates, trace_templates

NOW = time.time_ns()


def spans_of(body):
    request = ExportTraceServiceRequest.FromString(body)
    return [s for rs in request.resource_spans for ss in rs.scope_spans for s in ss.spans]


def from_json(body):
    document = orjson.loads(body)
    ids = []
    for resource in document["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                ids += [(span.pop("traceId"), span.pop("spanId"), span.pop("parentSpanId", ""))]
    request = ParseDict(document, ExportTraceServiceRequest())
    spans = [s for rs in request.resource_spans for ss in rs.scope_spans for s in ss.spans]
    for span, (trace, own, parent) in zip(spans, ids, strict=True):
        span.trace_id, span.span_id, span.parent_span_id = map(bytes.fromhex, (trace, own, parent))
    return spans


@pytest.mark.parametrize("as_json", [False, True])
def test_rendered_spans_are_new_and_their_parents_are_in_their_trace(as_json):
    templates = trace_templates(2, 512, as_json=as_json)
    parse = from_json if as_json else spans_of
    seen = set()
    for template in templates * 2:
        spans = parse(template.render(NOW))
        assert len(spans) == template.items == 512
        keys = {(s.trace_id, s.span_id) for s in spans}
        assert len(keys) == 512
        assert not keys & seen
        seen |= keys
        assert len({s.trace_id for s in spans}) == 32
        assert sum(not s.parent_span_id for s in spans) == 32
        assert all(not s.parent_span_id or (s.trace_id, s.parent_span_id) in keys for s in spans)


@pytest.mark.parametrize("as_json", [False, True])
def test_rendered_times_move_to_now_and_children_stay_within_their_parent(as_json):
    template = trace_templates(1, 512, as_json=as_json)[0]
    template.render(NOW - 10**12)
    spans = (from_json if as_json else spans_of)(template.render(NOW))
    by_id = {s.span_id: s for s in spans}
    for span in spans:
        assert NOW - SPREAD_NS <= span.start_time_unix_nano <= span.end_time_unix_nano <= NOW
        assert all(span.start_time_unix_nano < e.time_unix_nano <= span.end_time_unix_nano + 1 for e in span.events)
        if span.parent_span_id:
            parent = by_id[span.parent_span_id]
            assert parent.start_time_unix_nano <= span.start_time_unix_nano
            assert span.end_time_unix_nano <= parent.end_time_unix_nano


def test_rendering_changes_only_what_it_names():
    template = trace_templates(1, 64)[0]
    original = [s for rs in trace_request(0, 64).resource_spans for ss in rs.scope_spans for s in ss.spans]
    for before, after in zip(original, spans_of(template.render(NOW)), strict=True):
        assert (before.name, before.kind, before.flags, before.status) == (
            after.name,
            after.kind,
            after.flags,
            after.status,
        )
        assert (
            after.end_time_unix_nano - after.start_time_unix_nano
            == before.end_time_unix_nano - before.start_time_unix_nano
        )
        changed = [b.key for b, a in zip(before.attributes, after.attributes, strict=True) if a != b]
        assert changed == ["request.id"]


def test_the_load_has_the_shape_that_the_figures_name():
    spans = [span for template in trace_templates(8, 512) for span in spans_of(template.render(NOW))]
    assert {len(s.attributes) for s in spans} == {10}
    assert 0.08 < sum(bool(s.events) for s in spans) / len(spans) < 0.12
    assert 0.01 < sum(s.status.code == 2 for s in spans) / len(spans) < 0.03
    resources = trace_request(0, 512).resource_spans
    assert {len(r.resource.attributes) for r in resources} == {8}
    assert len(resources) == 4
    request_ids = {a.value.string_value for s in spans for a in s.attributes if a.key == "request.id"}
    assert len(request_ids) > 0.99 * len(spans)


def test_one_span_requests_hold_one_root():
    [span] = spans_of(trace_templates(1, 1)[0].render(NOW))
    assert not span.parent_span_id


@pytest.mark.parametrize("as_json", [False, True])
def test_some_trace_id_is_a_trace_of_the_last_request(as_json):
    template = trace_templates(1, 32, as_json=as_json)[0]
    template.render(NOW)
    spans = (from_json if as_json else spans_of)(template.render(NOW))
    assert template.some_trace_id() in {s.trace_id for s in spans}


def test_rendered_logs_are_new_and_near_now():
    template = logs_templates(1, 512)[0]
    seen = set()
    for _ in range(2):
        request = ExportLogsServiceRequest.FromString(template.render(NOW))
        records = [r for rl in request.resource_logs for sl in rl.scope_logs for r in sl.log_records]
        ids = {r.span_id for r in records if r.span_id}
        assert not ids & seen
        seen |= ids
        assert all(NOW - SPREAD_NS <= r.time_unix_nano < r.observed_time_unix_nano <= NOW + 10**6 for r in records)


def test_a_share_of_the_traces_is_agentic_as_a_whole():
    spans = [
        s for seed in range(8) for t in [trace_request(seed, 512, 0.25)] for rs in t.resource_spans
        for ss in rs.scope_spans for s in ss.spans
    ]  # fmt: skip
    agentic = {s.trace_id for s in spans if any(a.key == "gen_ai.operation.name" for a in s.attributes)}
    plain = {s.trace_id for s in spans if not any(a.key.startswith("gen_ai.") for a in s.attributes)}
    assert not agentic & plain
    assert 0.15 < len(agentic) / len(agentic | plain) < 0.35
