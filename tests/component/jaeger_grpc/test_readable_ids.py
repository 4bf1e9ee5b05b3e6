"""Ids of parents and links that have another length: Go's clients refuse the whole message for one of them."""

from collections.abc import Callable, Iterable

from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, TracesData

from exporters.jaeger.generated import api_v3_pb2 as v3
from exporters.jaeger.generated import storage_v2_pb2 as remote
from tests.component.jaeger_grpc.client import Client
from tests.component.query.shop import resource, span

V3 = v3.DESCRIPTOR.services_by_name["QueryService"]
REMOTE = remote.DESCRIPTOR.services_by_name["TraceReader"]
TRACE = b"T" * 16


def spans(messages: Iterable[TracesData]) -> list[Span]:
    return [each for m in messages for group in m.resource_spans for scope in group.scope_spans for each in scope.spans]


def test_every_id_can_be_read(client: Client, write: Callable[[TracesData], None]) -> None:
    odd = span(TRACE, 1, 0, "odd", 0, 1, links=[Span.Link(trace_id=b"abc", span_id=b"de"), Span.Link(span_id=bytes(8))])
    odd.parent_span_id = b"xyz"
    root = span(TRACE, 2, 0, "root", 1, 1)
    root.parent_span_id = bytes(8)
    group = ResourceSpans(resource=resource("front"), scope_spans=[ScopeSpans(spans=[odd, root])])
    write(TracesData(resource_spans=[group]))
    stored = remote.GetTracesRequest(query=[remote.GetTraceParams(trace_id=TRACE)])
    for messages, links in (
        (client.stream(V3, "GetTrace", v3.GetTraceRequest(trace_id=TRACE.hex())), 1),
        (client.stream(V3, "GetTrace", v3.GetTraceRequest(trace_id=TRACE.hex(), raw_traces=True)), 2),
        (client.stream(REMOTE, "GetTraces", stored), 2),
    ):
        first, second = spans(messages)
        assert (first.parent_span_id, second.parent_span_id) == (b"\0\0\0\0\0xyz", b"")
        assert first.links[0] == Span.Link(trace_id=bytes(13) + b"abc", span_id=bytes(6) + b"de")
        assert list(first.links[1:]) == [Span.Link()] * (links - 1)
