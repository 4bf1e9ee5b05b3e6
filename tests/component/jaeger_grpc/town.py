"""Traces of two services that use every feature Jaeger's models translate."""

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status, TracesData

from tests.component.query.shop import attributes, resource, span

T0 = 1_800_000_000 * 10**9
MS = 10**6

ORDER = bytes.fromhex("000000000000000000000000000000a1")
BROWSE = bytes.fromhex("b0000000000000000000000000000002")
BATCHED = bytes.fromhex("d0000000000000000000000000000004")
SERVER, CLIENT = 2, 3

TYPED: dict[str, object] = {
    "zebra": "text",
    "int": 2**63 - 1,
    "double": 1.5,
    "bool": True,
    "bytes": b"\x00\xff",
    "list": [1, "two"],
    "map": {"a": {"b": 2.0}},
    "empty": None,
}


def town() -> TracesData:
    """Three traces: an order over two services with an error, a lone browse, and one that links to the order."""
    front = [
        span(ORDER, 1, 0, "POST /order", 0, 50, kind=SERVER, attributes=attributes({**TYPED, "http.status_code": 500})),
        span(ORDER, 2, 1, "reserve", 5, 20, kind=CLIENT, trace_state="a=b"),
        span(BROWSE, 4, 0, "GET /browse", 1000, 10, kind=SERVER, attributes=attributes({"http.status_code": 200})),
        span(
            BATCHED,
            6,
            0,
            "settle",
            2000,
            1.5,
            links=[
                Span.Link(trace_id=ORDER, span_id=(1).to_bytes(8, "big")),
                Span.Link(
                    trace_id=BROWSE,
                    span_id=(4).to_bytes(8, "big"),
                    attributes=attributes({"opentracing.ref_type": "child_of", "lane": "fast"}),
                ),
            ],
        ),
    ]
    stock = [
        span(
            ORDER,
            3,
            2,
            "RESERVE",
            7,
            15,
            kind=SERVER,
            status=Status(code=Status.STATUS_CODE_ERROR, message="no stock"),
            attributes=attributes({"error.type": "Stock"}),
            events=[Span.Event(time_unix_nano=T0 + 8 * MS + 7, name="exception", attributes=attributes({"n": 1}))],
        )
    ]
    scope = InstrumentationScope(name="lib", version="2", attributes=attributes({"scope.key": "s"}))
    return TracesData(
        resource_spans=[
            ResourceSpans(resource=resource(service), scope_spans=[ScopeSpans(scope=scope, spans=spans)])
            for service, spans in (("front", front), ("stock", stock))
        ]
    )


def large(trace_id: bytes, spans: int, bytes_a_span: int) -> TracesData:
    """Return one large trace."""
    rows = [
        span(
            trace_id, number + 1, number, f"step {number}", number, 1, attributes=attributes({"p": "x" * bytes_a_span})
        )
        for number in range(spans)
    ]
    return TracesData(resource_spans=[ResourceSpans(resource=resource("bulk"), scope_spans=[ScopeSpans(spans=rows)])])


def request(data: TracesData) -> ExportTraceServiceRequest:
    """Return the export request of traces."""
    return ExportTraceServiceRequest(resource_spans=data.resource_spans)
