"""The one table that maps errors to gRPC codes and HTTP statuses, and the bodies and hints that go with them.

OTLP clients retry UNAVAILABLE and 503 and drop their data on UNKNOWN, INTERNAL and 500: so whatever is not known to be
permanent is answered as retryable.
Source: OTLP specification, "Failures" of both transports; Python's exporter reads RetryInfo from a trailer of its own.
"""

import math
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass

import grpc
import structlog
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status

from collector.errors import Refused, Rejected, TooLarge
from collector.otlp.json import MalformedField
from collector.receivers.errors import (
    MethodNotAllowed,
    NoPipeline,
    PermissionDenied,
    Unauthenticated,
    UnknownPath,
    UnsupportedEncoding,
    UnsupportedMediaType,
)

MAX_MESSAGE_BYTES = 1024  # keeps answers far below the clients' response limits
STATUS_DETAILS_TRAILER = "grpc-status-details-bin"
RETRY_INFO_TRAILER = "google.rpc.retryinfo-bin"
_LOG_INTERVAL_SECONDS = 10.0

# The first row that the error is an instance of counts.
_TABLE: Sequence[tuple[type[Exception], tuple[grpc.StatusCode, int]]] = (
    (Unauthenticated, (grpc.StatusCode.UNAUTHENTICATED, 401)),
    (PermissionDenied, (grpc.StatusCode.PERMISSION_DENIED, 403)),
    (UnknownPath, (grpc.StatusCode.NOT_FOUND, 404)),
    (NoPipeline, (grpc.StatusCode.UNIMPLEMENTED, 404)),  # as in a Collector
    (MethodNotAllowed, (grpc.StatusCode.UNIMPLEMENTED, 405)),
    (TooLarge, (grpc.StatusCode.RESOURCE_EXHAUSTED, 413)),
    (UnsupportedMediaType, (grpc.StatusCode.INVALID_ARGUMENT, 415)),
    (UnsupportedEncoding, (grpc.StatusCode.INVALID_ARGUMENT, 415)),
    (Rejected, (grpc.StatusCode.INVALID_ARGUMENT, 400)),
    (Refused, (grpc.StatusCode.UNAVAILABLE, 503)),
)
_UNEXPECTED = (grpc.StatusCode.UNAVAILABLE, 503)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Failure:
    """How a request failed, for either transport. `retry_after_seconds` is None for what must not be retried."""

    code: grpc.StatusCode
    http_status: int
    message: str
    retry_after_seconds: float | None = None
    field: str = ""  # JSON path of the bad field, where one is known
    allow: str = ""  # Allow header
    accept_encoding: str = ""  # Accept-Encoding header


def capped(message: str) -> str:
    """Return a message of at most MAX_MESSAGE_BYTES bytes of UTF-8, cut between characters."""
    raw = message.encode("utf-8", "replace")
    if len(raw) <= MAX_MESSAGE_BYTES:
        return message
    return raw[: MAX_MESSAGE_BYTES - 3].decode("utf-8", "ignore") + "…"


def failure_of(error: Exception) -> Failure:
    """Return the answer to an error; what the table does not name is logged and retryable."""
    answer = next((answer for kind, answer in _TABLE if isinstance(error, kind)), None)
    if answer is None:
        _report(error)
        return Failure(*_UNEXPECTED, f"internal error: {type(error).__name__}", 1.0)
    return Failure(
        *answer,
        capped(str(error)),
        retry_after_seconds=error.retry_after_seconds if isinstance(error, Refused) else None,
        field=capped(error.field) if isinstance(error, MalformedField) else "",
        allow=error.allow if isinstance(error, MethodNotAllowed) else "",
        accept_encoding=error.supported if isinstance(error, UnsupportedEncoding) else "",
    )


def status_of(failure: Failure) -> Status:
    """Return the google.rpc.Status of a failure, with RetryInfo or BadRequest where they apply."""
    code: int = failure.code.value[0]
    status = Status(code=code, message=failure.message)
    if failure.retry_after_seconds is not None:
        status.details.add().Pack(_retry_info(failure.retry_after_seconds))
    elif failure.field:
        violation = BadRequest.FieldViolation(field=failure.field, description=failure.message)
        status.details.add().Pack(BadRequest(field_violations=[violation]))
    return status


def trailers_of(failure: Failure) -> tuple[tuple[str, bytes], ...]:
    """Return the trailing metadata of a failed gRPC call."""
    details = (STATUS_DETAILS_TRAILER, status_of(failure).SerializeToString())
    if failure.retry_after_seconds is None:
        return (details,)
    return details, (RETRY_INFO_TRAILER, _retry_info(failure.retry_after_seconds).SerializeToString())


def headers_of(failure: Failure) -> list[tuple[bytes, bytes]]:
    """Return the HTTP headers that belong to a failure."""
    headers = []
    if failure.retry_after_seconds is not None:
        headers.append((b"retry-after", b"%d" % max(1, math.ceil(failure.retry_after_seconds))))
    if failure.http_status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if failure.allow:
        headers.append((b"allow", failure.allow.encode()))
    if failure.accept_encoding:
        headers.append((b"accept-encoding", failure.accept_encoding.encode()))
    return headers


def _retry_info(seconds: float) -> RetryInfo:
    delay = Duration()
    delay.FromNanoseconds(int(seconds * 1e9))
    return RetryInfo(retry_delay=delay)


_next_report: dict[str, float] = {}


def _report(error: Exception) -> None:
    """Log an error nobody foresaw, each kind at most every ten seconds; its text may hold users' data, so not that."""
    kind = type(error).__name__
    now = time.monotonic()
    if now >= _next_report.get(kind, 0.0):
        _next_report[kind] = now + _LOG_INTERVAL_SECONDS
        frames = traceback.extract_tb(error.__traceback__)[-3:]
        _log.error("receiver_failed", error=kind, where=[f"{frame.filename}:{frame.lineno}" for frame in frames])
