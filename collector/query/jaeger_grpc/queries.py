"""What the three services' requests have in common, read into the storage port's values."""

from collections.abc import Mapping
from typing import Protocol

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from collector.query.jaeger_grpc.errors import invalid
from collector.query.jaeger_grpc.filters import compile_filter
from collector.query.parse.bounds import MAX_CONDITIONS
from collector.query.ranges import EVERYTHING
from exporters.jaeger.generated.expression_pb2 import Call
from exporters.jaeger.search import kind_name, kind_number, tags_filter
from storage.api import Storage
from storage.queries import Operation, TimeRange, TraceQuery

DEFAULT_DEPTH = 100
# A client receives at most 4 MiB in a message: twice these names, as in api_v2, with what is around each of them.
_MAX_NAMES_BYTES, _AROUND_NAME = 3 * 2**19, 32
# What Go's zero time becomes on the wire: Jaeger's clients send it for a time that is not given.
_GO_ZERO_SECONDS = -62135596800


class SearchParameters(Protocol):
    """The members that `TraceQueryParameters` has in every service."""

    service_name: str
    operation_name: str
    search_depth: int

    @property
    def duration_min(self) -> Duration: ...  # noqa: D102
    @property
    def duration_max(self) -> Duration: ...  # noqa: D102


def time_of(message: Message, field: str) -> int | None:
    """Return a Timestamp field as nanoseconds, or None when it is not given. Times before the epoch are the epoch."""
    if not message.HasField(field):
        return None
    value: Timestamp = getattr(message, field)
    if value.seconds <= _GO_ZERO_SECONDS:
        return None
    return min(max(value.seconds * 10**9 + value.nanos, 0), EVERYTHING.end - 1)


def range_of(message: Message, start: str, end: str) -> TimeRange:
    """Return the range between two Timestamp fields; the end counts as within, as in Jaeger's own store."""
    first, last = time_of(message, start), time_of(message, end)
    return TimeRange(EVERYTHING.start if first is None else first, EVERYTHING.end if last is None else last + 1)


def trace_query(
    parameters: SearchParameters, time: TimeRange, attributes: Mapping[str, str], filter_call: Call | None
) -> TraceQuery:
    """Return the storage query. Raises: CallFailed for what Baton cannot answer, or a filter beside the rest."""
    shortest, longest = _nanoseconds(parameters.duration_min), _nanoseconds(parameters.duration_max)
    legacy = parameters.service_name or parameters.operation_name or attributes or shortest or longest
    if filter_call is not None and legacy:
        raise invalid("filter cannot be combined with service_name, operation_name, attributes or durations")
    if len(attributes) > MAX_CONDITIONS:
        raise invalid(f"more than {MAX_CONDITIONS} tags or attributes")
    return TraceQuery(
        time=time,
        service_name=parameters.service_name or None,
        span_name=parameters.operation_name or None,
        filter=tags_filter(attributes) if filter_call is None else compile_filter(filter_call),
        duration_min_ns=shortest or None,
        duration_max_ns=longest or None,
        limit=parameters.search_depth if parameters.search_depth > 0 else DEFAULT_DEPTH,
    )


def operations(storage: Storage, service: str, kind: str) -> list[Operation]:
    """Return a service's operations, of one kind when it is named; an unknown kind has none.

    Of very long names so many are left out that a client can receive the others in one message.
    """
    number = kind_number(kind)
    if kind and not number:
        return []
    room, fitting = _MAX_NAMES_BYTES, []
    for each in storage.operations(service, number or None):
        size = len(each.name.encode("utf-8", "replace")) + _AROUND_NAME
        if size <= room:
            fitting.append(each)
            room -= size
    return fitting


def kind_text(operation: Operation) -> str:
    """Return the kind as Jaeger writes it: empty when it is not specified."""
    return kind_name(operation.kind)


def trace_id_of(raw: bytes) -> bytes:
    """Return the 16 bytes of a trace id of 8 or 16 bytes. Raises: CallFailed."""
    if len(raw) not in {8, 16}:
        raise invalid(f"a trace id has 16 bytes, not {len(raw)}")
    return raw.rjust(16, b"\0")


def _nanoseconds(duration: Duration) -> int:
    return max(duration.seconds * 10**9 + duration.nanos, 0)
