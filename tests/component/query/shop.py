"""Telemetry of a small shop: three traces and five log records, with every attribute type."""

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

T0 = 1_800_000_000 * 10**9
SECOND = 10**9
MS = 10**6

CHECKOUT = bytes.fromhex("000000000000000000000000000000a1")
BROWSE = bytes.fromhex("b0000000000000000000000000000002")
ORPHANED = bytes.fromhex("c0000000000000000000000000000003")
SPAN_KIND_SERVER, SPAN_KIND_CLIENT = 2, 3


def attribute(key: str, value: object) -> KeyValue:
    return KeyValue(key=key, value=any_value(value))


def any_value(value: object) -> AnyValue:
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[any_value(item) for item in value]))
    if isinstance(value, dict):
        return AnyValue(kvlist_value=KeyValueList(values=[attribute(key, item) for key, item in value.items()]))
    if value is None:
        return AnyValue()
    member = {str: "string", bool: "bool", int: "int", float: "double", bytes: "bytes"}[type(value)]
    return AnyValue(**{f"{member}_value": value})


def attributes(values: dict[str, object]) -> list[KeyValue]:
    return [attribute(key, value) for key, value in values.items()]


def resource(service: str) -> Resource:
    return Resource(attributes=attributes({"service.name": service, "host.name": f"{service}-1"}))


def span(trace_id: bytes, number: int, parent: int, name: str, at_ms: int, ms: float, **extra: object) -> Span:
    return Span(
        trace_id=trace_id,
        span_id=number.to_bytes(8, "big"),
        parent_span_id=parent.to_bytes(8, "big") if parent else b"",
        name=name,
        start_time_unix_nano=T0 + at_ms * MS,
        end_time_unix_nano=T0 + at_ms * MS + int(ms * MS),
        **extra,
    )


def traces() -> bytes:
    shop = [
        span(
            CHECKOUT,
            1,
            0,
            "GET /checkout",
            0,
            50,
            kind=SPAN_KIND_SERVER,
            attributes=attributes({"http.route": "/checkout", "http.status_code": 500}),
        ),
        span(CHECKOUT, 2, 1, "call cart", 5, 20, kind=SPAN_KIND_CLIENT),
        span(
            BROWSE,
            4,
            0,
            "GET /browse",
            1000,
            10,
            kind=SPAN_KIND_SERVER,
            attributes=attributes({"http.route": "/browse", "http.status_code": 200}),
        ),
    ]
    cart = [
        span(
            CHECKOUT,
            3,
            2,
            "GET /cart",
            7,
            15,
            kind=SPAN_KIND_SERVER,
            status=Status(code=Status.STATUS_CODE_ERROR, message="no stock"),
            attributes=attributes({"http.route": "/cart", "http.status_code": 500, "error.type": "Stock"}),
            events=[
                Span.Event(
                    time_unix_nano=T0 + 8 * MS, name="exception", attributes=attributes({"exception.type": "Stock"})
                )
            ],
        ),
        span(ORPHANED, 6, 5, "GET /cart", 2000, 1.5, kind=SPAN_KIND_SERVER),
    ]
    scope = InstrumentationScope(name="app", version="1")
    return ExportTraceServiceRequest(
        resource_spans=[
            ResourceSpans(resource=resource(service), scope_spans=[ScopeSpans(scope=scope, spans=spans)])
            for service, spans in (("shop", shop), ("cart/eu", cart))
        ]
    ).SerializeToString()


TYPED: dict[str, object] = {
    "text": "x",
    "int": 7,
    "double": 1.5,
    "bool": True,
    "bytes": b"\x00\x01",
    "list": [1, "two"],
    "map": {"a": {"b": 2.0}},
    "empty": None,
    "nan": float("nan"),
    "big": 2**63 - 1,
}


def record(at_ms: int, severity: int, body: object, **extra: object) -> LogRecord:
    return LogRecord(
        time_unix_nano=T0 + at_ms * MS,
        observed_time_unix_nano=T0 + at_ms * MS + 1,
        severity_number=severity,  # type: ignore[arg-type]
        severity_text={9: "INFO", 13: "WARNING", 17: "ERR"}.get(severity, ""),
        body=None if body is None else any_value(body),
        **extra,
    )


def logs() -> bytes:
    cart = [
        record(0, 9, "Cart opened"),
        record(8, 17, "out of stock", trace_id=CHECKOUT, span_id=(3).to_bytes(8, "big"), attributes=attributes(TYPED)),
        record(9, 13, {"order": 7, "lines": ["a", "b"]}, trace_id=CHECKOUT),
    ]
    shop = [record(1000, 9, "line one\nline two"), record(2000, 0, None, event_name="tick")]
    return logs_message({"cart/eu": cart, "shop": shop})


def logs_message(records: dict[str, list[LogRecord]]) -> bytes:
    return ExportLogsServiceRequest(
        resource_logs=[
            ResourceLogs(resource=resource(service), scope_logs=[ScopeLogs(log_records=items)])
            for service, items in records.items()
        ]
    ).SerializeToString()
