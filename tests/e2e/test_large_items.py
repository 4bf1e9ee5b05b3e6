"""Requests near the size limit are stored like any other: prompts and documents come as attributes of tens of KB."""

import os
import time
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.bench.api import Api
from collector.bench.senders import GrpcSender
from collector.bench.server import ServerProcess
from tests.e2e.exporting import settle, span_id


def large_request(trace_id: bytes, spans: int, text_bytes: int) -> bytes:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for number in range(spans):
        span = scope.spans.add(trace_id=trace_id, span_id=span_id(trace_id, number), name="chat")
        span.start_time_unix_nano = span.end_time_unix_nano = time.time_ns()
        span.attributes.add(key="gen_ai.input.messages").value.string_value = os.urandom(text_bytes // 2).hex()
    return request.SerializeToString()


def test_large_attributes_are_stored(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        sender = GrpcSender(server.endpoints.otlp_grpc, "traces")
        for spans, text_bytes in ((900, 1 << 16), (1, 60_000_000), (900, 1 << 16)):
            assert sender.send(large_request(os.urandom(16), spans, text_bytes)) == "ok"
        sender.close()
        api = Api(server.endpoints.query)
        assert settle(api)["traces"]["stored"] == 1801
        api.close()
