"""The answers to export requests, in protobuf and in JSON."""

from enum import StrEnum

from google.protobuf import json_format
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsPartialSuccess, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsPartialSuccess,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from collector.pipeline.api import Outcome
from collector.receivers.status import Failure, capped, status_of
from storage.queries import Signal

_METRICS_MESSAGE = (
    "metrics are not stored, Baton keeps traces and logs: switch the metrics exporter off (OTEL_METRICS_EXPORTER=none)"
)


class Encoding(StrEnum):
    """The two encodings of OTLP; the value is the exact content type, which some exporters compare as it is."""

    PROTOBUF = "application/x-protobuf"
    JSON = "application/json"


def export_reply(signal: Signal, outcome: Outcome) -> Message:
    """Return the Export{Trace,Logs}ServiceResponse; `partial_success` is set only when there is something to say."""
    message = capped(outcome.message)
    if signal is Signal.LOGS:
        logs = ExportLogsServiceResponse()
        if outcome.rejected or message:
            partial = ExportLogsPartialSuccess(rejected_log_records=outcome.rejected, error_message=message)
            logs.partial_success.CopyFrom(partial)
        return logs
    traces = ExportTraceServiceResponse()
    if outcome.rejected or message:
        traces.partial_success.CopyFrom(
            ExportTracePartialSuccess(rejected_spans=outcome.rejected, error_message=message)
        )
    return traces


def metrics_reply(data_points: int) -> Message:
    """Return the ExportMetricsServiceResponse that turns every data point away without an error."""
    reply = ExportMetricsServiceResponse()
    if data_points:
        reply.partial_success.CopyFrom(
            ExportMetricsPartialSuccess(rejected_data_points=data_points, error_message=_METRICS_MESSAGE)
        )
    return reply


def encode(message: Message, encoding: Encoding) -> bytes:
    """Return a message in an encoding; an empty one is no bytes, or `{}`."""
    if encoding is Encoding.PROTOBUF:
        return message.SerializeToString()
    return json_format.MessageToJson(message, indent=None, ensure_ascii=False).encode()


def failure_body(failure: Failure, encoding: Encoding) -> bytes:
    """Return the google.rpc.Status of a failure in the request's encoding."""
    return encode(status_of(failure), encoding)
