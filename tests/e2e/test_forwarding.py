"""The real `baton serve` sends on what it stores, through an outage of the receiver and its own sudden end."""

import json
import time
import urllib.request
from pathlib import Path

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from collector.bench.api import Api
from collector.bench.server import ServerProcess, keep_port
from collector.loop_thread import LoopThread
from collector.receivers.otlp_grpc import OtlpGrpcReceiver
from collector.receivers.settings import GrpcSettings
from tests.receiving import receiving, traces_request
from tests.waiting import until


def metric(server: ServerProcess, name: str) -> float:
    api = Api(server.endpoints.query)
    try:
        text = api.get("/metrics")[1].decode()
    finally:
        api.close()
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))


def send(server: ServerProcess, body: bytes) -> None:
    with grpc.insecure_channel(server.endpoints.otlp_grpc) as channel:
        TraceServiceStub(channel).Export(ExportTraceServiceRequest.FromString(body), timeout=20)


def ids(body: bytes) -> set[bytes]:
    request = ExportTraceServiceRequest.FromString(body)
    return {s.span_id for r in request.resource_spans for sc in r.scope_spans for s in sc.spans}


def test_nothing_is_lost_on_the_way(tmp_path: Path) -> None:
    (kept_zipkin, zipkin), (kept_downstream, downstream) = keep_port(), keep_port()
    server = ServerProcess(
        tmp_path / "up",
        {
            "receivers": {"zipkin": {"endpoint": zipkin}},
            "exporters": {"storage": None, "otlp/down": {"endpoint": downstream, "tls": {"insecure": True}}},
            "service": {
                "pipelines": {
                    "traces": {"receivers": ["otlp", "zipkin"], "exporters": ["storage", "otlp/down"]},
                    "logs": {"receivers": ["otlp"], "exporters": ["storage"]},
                }
            },
        },
    )
    bodies = [traces_request(50, seed) for seed in range(6)]
    with kept_zipkin, kept_downstream, receiving(tmp_path / "down") as down:
        server.start()
        try:
            for body in bodies[:3]:
                send(server, body)
            span = [{"traceId": "a1", "id": "1", "name": "get", "timestamp": time.time_ns() // 1000}]
            json_type = {"Content-Type": "application/json"}
            post = urllib.request.Request(f"http://{zipkin}/api/v2/spans", json.dumps(span).encode(), json_type)
            assert urllib.request.urlopen(post, timeout=20).status == 202
            until(lambda: metric(server, "baton_forward_failing_seconds") > 0, 60)
            server.kill()
            server.start()
            for body in bodies[3:]:
                send(server, body)
            host, _, port = downstream.rpartition(":")
            with LoopThread("test-grpc") as thread:
                receiver = OtlpGrpcReceiver(GrpcSettings(host, int(port)), down.ingest, thread)
                receiver.start()
                until(lambda: metric(server, "baton_forward_delivered_total") >= 6 * 50 + 1, 60)
                until(lambda: metric(server, "baton_forward_queued_bytes") == 0, 60)
                lost = ("baton_forward_rejected_total", "baton_forward_dropped_total")
                assert [metric(server, name) for name in lost] == [0, 0]
                assert server.stop() == 0
                receiver.close()
        finally:
            server.close()
        arrived = set(down.spans()["span_id"].to_pylist())
    assert arrived == set().union(*map(ids, bodies), {(1).to_bytes(8, "big")})
