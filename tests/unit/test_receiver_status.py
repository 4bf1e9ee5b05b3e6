"""The table of statuses: what clients retry, what they drop, and the hints and bodies they get."""

import json

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from structlog.testing import capture_logs

from collector.errors import Refused, Rejected, TooLarge
from collector.otlp.json import MalformedField
from collector.pipeline.api import Outcome
from collector.receivers import status
from collector.receivers.errors import (
    MethodNotAllowed,
    NoPipeline,
    PermissionDenied,
    Unauthenticated,
    UnknownPath,
    UnsupportedEncoding,
    UnsupportedMediaType,
)
from collector.receivers.replies import Encoding, encode, export_reply, failure_body, metrics_reply
from storage.queries import Signal

HTTP_RETRYABLE = {429, 502, 503, 504}
GRPC_RETRYABLE = {
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DATA_LOSS,
}


@pytest.mark.parametrize(
    ("error", "code", "http_status"),
    [
        (Refused("full", 2.0), grpc.StatusCode.UNAVAILABLE, 503),
        (Rejected("malformed", "no"), grpc.StatusCode.INVALID_ARGUMENT, 400),
        (MalformedField("a.b", "no"), grpc.StatusCode.INVALID_ARGUMENT, 400),
        (TooLarge("big"), grpc.StatusCode.RESOURCE_EXHAUSTED, 413),
        (Unauthenticated("who"), grpc.StatusCode.UNAUTHENTICATED, 401),
        (PermissionDenied("no"), grpc.StatusCode.PERMISSION_DENIED, 403),
        (UnknownPath("/x", ["/y"]), grpc.StatusCode.NOT_FOUND, 404),
        (NoPipeline(Signal.LOGS, "key"), grpc.StatusCode.UNIMPLEMENTED, 404),
        (MethodNotAllowed("GET", "POST"), grpc.StatusCode.UNIMPLEMENTED, 405),
        (UnsupportedMediaType("text/plain"), grpc.StatusCode.INVALID_ARGUMENT, 415),
        (UnsupportedEncoding("br", "gzip"), grpc.StatusCode.INVALID_ARGUMENT, 415),
    ],
)
def test_permanent_and_retryable_are_the_same_on_both_transports(
    error: Exception, code: grpc.StatusCode, http_status: int
) -> None:
    failure = status.failure_of(error)
    assert (failure.code, failure.http_status) == (code, http_status)
    retryable = isinstance(error, Refused)
    assert (code in GRPC_RETRYABLE) == (http_status in HTTP_RETRYABLE) == retryable
    assert (failure.retry_after_seconds is not None) == retryable


def test_retry_hints_are_in_both_trailers_and_the_header() -> None:
    failure = status.failure_of(Refused("full", 1.25))
    trailers = dict(status.trailers_of(failure))
    hint = RetryInfo.FromString(trailers["google.rpc.retryinfo-bin"])
    assert hint.retry_delay.ToNanoseconds() == 1_250_000_000
    details = Status.FromString(trailers["grpc-status-details-bin"])
    assert (details.code, details.message) == (14, "full")
    packed = RetryInfo()
    assert details.details[0].Unpack(packed)
    assert packed == hint
    assert dict(status.headers_of(failure))[b"retry-after"] == b"2"
    assert dict(status.headers_of(status.failure_of(Refused("full", 0.1))))[b"retry-after"] == b"1"


def test_permanent_failures_carry_no_retry_hint() -> None:
    failure = status.failure_of(TooLarge("big"))
    assert [name for name, _ in status.trailers_of(failure)] == ["grpc-status-details-bin"]
    assert not status.status_of(failure).details
    assert b"retry-after" not in dict(status.headers_of(failure))


def test_a_bad_field_is_named_in_bad_request() -> None:
    body = failure_body(status.failure_of(MalformedField("resourceSpans[0].x", "expected a string")), Encoding.PROTOBUF)
    found = BadRequest()
    assert Status.FromString(body).details[0].Unpack(found)
    assert found.field_violations[0].field == "resourceSpans[0].x"


def test_bodies_are_status_messages_in_either_encoding() -> None:
    failure = status.failure_of(Refused("voll: ü", 1.0))
    assert Status.FromString(failure_body(failure, Encoding.PROTOBUF)).message == "voll: ü"
    document = json.loads(failure_body(failure, Encoding.JSON))
    assert (document["code"], document["message"]) == (14, "voll: ü")
    assert document["details"] == [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1s"}]


def test_the_unexpected_is_retryable_and_logged_once_without_its_text() -> None:
    class Surprise(Exception):
        pass

    with capture_logs() as logs:
        for _ in range(3):
            try:
                raise Surprise("secret attribute value")
            except Surprise as error:
                failure = status.failure_of(error)
            assert (failure.code, failure.http_status) == (grpc.StatusCode.UNAVAILABLE, 503)
            assert failure.retry_after_seconds == 1.0
    assert [(entry["event"], entry["log_level"], entry["error"]) for entry in logs] == [
        ("receiver_failed", "error", "Surprise")
    ]
    assert "secret" not in str(logs) + failure.message


def test_messages_are_capped_between_characters() -> None:
    capped = status.failure_of(Rejected("malformed", "ü" * 5000)).message
    assert len(capped.encode()) <= status.MAX_MESSAGE_BYTES
    assert capped == "ü" * (len(capped) - 1) + "…"
    reply = export_reply(Signal.LOGS, Outcome(0, 1, "x" * 5000))
    assert len(encode(reply, Encoding.JSON)) < 2 * status.MAX_MESSAGE_BYTES


def test_full_success_is_an_empty_reply() -> None:
    for signal in Signal:
        reply = export_reply(signal, Outcome(5))
        assert not reply.HasField("partial_success")
        assert (encode(reply, Encoding.PROTOBUF), encode(reply, Encoding.JSON)) == (b"", b"{}")
    assert not metrics_reply(0).HasField("partial_success")


def test_partial_success_and_warnings_are_told() -> None:
    traces = json.loads(encode(export_reply(Signal.TRACES, Outcome(1, 2, "bad ids")), Encoding.JSON))
    assert traces == {"partialSuccess": {"rejectedSpans": "2", "errorMessage": "bad ids"}}
    logs = json.loads(encode(export_reply(Signal.LOGS, Outcome(1, 2, "why")), Encoding.JSON))
    assert logs == {"partialSuccess": {"rejectedLogRecords": "2", "errorMessage": "why"}}
    warning = json.loads(encode(export_reply(Signal.TRACES, Outcome(1, 0, "note")), Encoding.JSON))
    assert warning == {"partialSuccess": {"errorMessage": "note"}}
    metrics = json.loads(encode(metrics_reply(3), Encoding.JSON))
    assert metrics["partialSuccess"]["rejectedDataPoints"] == "3"
    assert "metrics are not stored" in metrics["partialSuccess"]["errorMessage"]
