"""Trace summaries as protobuf: two services declare the same message, apart from the form of the trace id."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from exporters.jaeger.generated import api_v3_pb2, storage_v2_pb2
from exporters.trace_summary import TraceSummary

# A client receives at most 4 MiB in a message.
_MAX_BYTES = 3 * 2**20
_Message = TypeVar("_Message", api_v3_pb2.TraceSummary, storage_v2_pb2.TraceSummary)


def with_hex_id(summary: TraceSummary) -> api_v3_pb2.TraceSummary:
    """Return the message of api_v3."""
    return _filled(api_v3_pb2.TraceSummary(trace_id=summary.trace_id.hex()), summary)


def with_raw_id(summary: TraceSummary) -> storage_v2_pb2.TraceSummary:
    """Return the message of storage.v2."""
    return _filled(storage_v2_pb2.TraceSummary(trace_id=summary.trace_id), summary)


def in_messages(summaries: Iterable[_Message]) -> Iterator[list[_Message]]:
    """Yield the summaries in lists that a client can receive as one message; one that is too large is alone."""
    fitting: list[_Message] = []
    size = 0
    for summary in summaries:
        own = summary.ByteSize()
        if fitting and size + own > _MAX_BYTES:
            yield fitting
            fitting, size = [], 0
        fitting.append(summary)
        size += own
    if fitting:
        yield fitting


def _filled(message: _Message, summary: TraceSummary) -> _Message:
    message.root_service_name = summary.root_service or ""
    message.root_operation_name = summary.root_name or ""
    message.min_start_time_unix_nano = summary.start_unix_nano
    message.max_end_time_unix_nano = summary.end_unix_nano
    message.span_count = summary.span_count
    message.error_span_count = summary.error_count
    message.orphan_span_count = summary.orphan_count
    for service in summary.services:
        message.services.add(name=service.name, span_count=service.span_count, error_span_count=service.error_count)
    return message
