"""OTLP/JSON documents of one span, and what they are read as."""

import json
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.otlp.json import to_protobuf
from storage.queries import Signal

TRACE_ID = "5b8efff798038103d269b633813fc60c"
SPAN_ID = "eee19b7ec3c1b174"


def traces(document: object) -> ExportTraceServiceRequest:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return ExportTraceServiceRequest.FromString(to_protobuf(Signal.TRACES, body))


def one_span(**fields: object) -> dict[str, Any]:
    span = {"traceId": TRACE_ID, "spanId": SPAN_ID, **fields}
    return {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}


def span_of(**fields: object) -> Span:
    return traces(one_span(**fields)).resource_spans[0].scope_spans[0].spans[0]


def value_of(value: object) -> KeyValue:
    return span_of(attributes=[{"key": "k", "value": value}]).attributes[0]
