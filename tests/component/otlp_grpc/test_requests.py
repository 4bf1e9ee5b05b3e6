"""What the OTLP/gRPC receiver is sent, what is stored of it, and what it answers."""

import grpc
import pytest
from google.rpc.status_pb2 import Status
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.metrics.v1 import metrics_pb2

from collector.receivers.auth import ApiKeys
from collector.receivers.settings import GrpcSettings
from storage.queries import Signal
from tests.component.otlp_grpc.calls import (
    LIMIT,
    LOGS,
    METRICS,
    TRACES,
    assert_permanent,
    export,
    failure,
    serving,
    trailers,
)
from tests.receiving import Received, logs_request, traces_request


@pytest.mark.parametrize("compression", list(grpc.Compression))
def test_traces_and_logs_are_stored_whatever_the_compression(received: Received, compression: grpc.Compression) -> None:
    with serving(received.ingest) as (_, channel):
        assert export(channel, TRACES, traces_request(3), compression=compression) == b""
        assert export(channel, LOGS, logs_request(2), compression=compression) == b""
    assert received.spans().num_rows == 3
    assert received.logs().num_rows == 2


def test_an_empty_request_succeeds(received: Received) -> None:
    with serving(received.ingest) as (_, channel):
        assert export(channel, TRACES, b"") == export(channel, LOGS, b"") == export(channel, METRICS, b"") == b""


def test_bad_items_are_counted_and_the_good_ones_kept(received: Received) -> None:
    request = ExportTraceServiceRequest.FromString(traces_request(3))
    request.resource_spans[0].scope_spans[0].spans[1].trace_id = b"short"
    with serving(received.ingest) as (_, channel):
        reply = ExportTraceServiceResponse.FromString(export(channel, TRACES, request.SerializeToString()))
    assert reply.partial_success.rejected_spans == 1
    assert "trace_id" in reply.partial_success.error_message
    assert received.spans().num_rows == 2


def test_logs_keep_partial_success_unset(received: Received) -> None:
    request = ExportLogsServiceRequest.FromString(logs_request(1))
    request.resource_logs[0].scope_logs[0].log_records[0].trace_id = b"bad"
    with serving(received.ingest) as (_, channel):
        reply = ExportLogsServiceResponse.FromString(export(channel, LOGS, request.SerializeToString()))
    assert not reply.HasField("partial_success")


def test_invalid_utf8_does_not_lose_the_request(received: Received) -> None:
    body = traces_request(2).replace(b"span-0", b"span\xff0")
    with serving(received.ingest) as (_, channel):
        assert export(channel, TRACES, body) == b""
    assert sorted(received.spans()["name"].to_pylist()) == ["span-1", "span\ufffd0"]


def test_a_logs_request_at_the_traces_method_is_turned_away_with_a_hint(received: Received) -> None:
    with serving(received.ingest) as (_, channel):
        reply = ExportTraceServiceResponse.FromString(export(channel, TRACES, logs_request(2)))
    assert reply.partial_success.rejected_spans == 2
    assert "/v1/logs" in reply.partial_success.error_message


def test_a_malformed_request_is_permanent_and_does_not_hurt_others(received: Received) -> None:
    with serving(received.ingest) as (_, channel):
        call = failure(channel, TRACES, b"\xff\xff\xff")
        assert_permanent(call, grpc.StatusCode.INVALID_ARGUMENT)
        assert Status.FromString(trailers(call)["grpc-status-details-bin"]).message == call.details()
        assert export(channel, TRACES, traces_request(1)) == b""
    assert received.spans().num_rows == 1


def test_metrics_are_turned_away_point_by_point(received: Received) -> None:
    gauge = metrics_pb2.Metric(name="g", gauge=metrics_pb2.Gauge(data_points=[metrics_pb2.NumberDataPoint()] * 2))
    summary = metrics_pb2.Metric(summary=metrics_pb2.Summary(data_points=[metrics_pb2.SummaryDataPoint()]))
    scope = metrics_pb2.ScopeMetrics(metrics=[gauge, summary, metrics_pb2.Metric(name="empty")])
    resource = metrics_pb2.ResourceMetrics(scope_metrics=[scope, scope])
    small = ExportMetricsServiceRequest(resource_metrics=[resource])
    large = ExportMetricsServiceRequest(resource_metrics=[resource] * 10_000)
    with serving(received.ingest) as (_, channel):
        for request, count in ((small, 6), (large, 60_000)):
            reply = ExportMetricsServiceResponse.FromString(export(channel, METRICS, request.SerializeToString()))
            assert reply.partial_success.rejected_data_points == count
            assert "metrics are not stored" in reply.partial_success.error_message
        assert_permanent(failure(channel, METRICS, b"\xff\xff"), grpc.StatusCode.INVALID_ARGUMENT)
        assert_permanent(failure(channel, METRICS, bytes(LIMIT + 1)), grpc.StatusCode.RESOURCE_EXHAUSTED)


def test_unknown_methods_are_unimplemented(received: Received) -> None:
    with serving(received.ingest) as (_, channel):
        profiles = "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"
        assert failure(channel, profiles, b"").code() is grpc.StatusCode.UNIMPLEMENTED


def test_reflection_lists_the_services_when_it_is_on(received: Received) -> None:
    with serving(received.ingest, GrpcSettings("127.0.0.1", 0, reflection=True)) as (_, channel):
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        answers = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
        names = {service.name for service in next(answers).list_services_response.service}
    assert {TRACES.split("/")[1], LOGS.split("/")[1], METRICS.split("/")[1], "grpc.health.v1.Health"} <= names


def test_a_signal_whose_pipeline_does_not_name_the_receiver_is_not_taken(received: Received) -> None:
    settings = GrpcSettings("127.0.0.1", 0, reflection=True, untaken={Signal.LOGS: "service.pipelines.logs.receivers"})
    key = (("x-api-key", "right"),)
    with serving(received.ingest, settings, ApiKeys(["right"])) as (_, channel):
        call = failure(channel, LOGS, logs_request(2), metadata=key)
        assert_permanent(call, grpc.StatusCode.UNIMPLEMENTED)
        assert call.details() == "logs are not taken here: service.pipelines.logs.receivers does not name this receiver"
        assert failure(channel, LOGS, logs_request(1)).code() is grpc.StatusCode.UNAUTHENTICATED
        assert export(channel, TRACES, traces_request(3), metadata=key) == b""
        assert export(channel, METRICS, b"", metadata=key) == b""
        health = health_pb2_grpc.HealthStub(channel)
        with pytest.raises(grpc.RpcError) as unknown:
            health.Check(health_pb2.HealthCheckRequest(service="opentelemetry.proto.collector.logs.v1.LogsService"))
        assert unknown.value.code() is grpc.StatusCode.NOT_FOUND
    assert (received.spans().num_rows, received.logs().num_rows) == (3, 0)
    assert received.ledger.snapshot()["logs"]["undecodable_requests"] == {"no_pipeline": 1, "unauthenticated": 1}
