"""`jaeger.api_v3.QueryService`: OTLP spans, adjusted as Jaeger does unless raw traces are asked for."""

from collections.abc import Iterator, Mapping

import grpc
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from collector.query.jaeger_grpc.calls import Method
from collector.query.jaeger_grpc.errors import CallFailed, invalid, not_found
from collector.query.jaeger_grpc.queries import kind_text, operations, range_of, time_of, trace_query
from collector.query.jaeger_grpc.summaries import in_messages, with_hex_id
from collector.query.trace_reads import adjusted_summaries, found_ids, span_tables
from exporters.jaeger.adjust import adjusted
from exporters.jaeger.generated import api_v3_pb2 as pb
from exporters.jaeger.ids import InvalidTraceId, parse_hex_trace_id
from exporters.jaeger.reading import read_traces
from exporters.otlp.protobuf import spans_chunks
from storage.api import Storage
from storage.queries import TraceQuery

# Clients receive at most 4 MiB in a message; a larger trace takes consecutive messages.
MAX_MESSAGE_BYTES = 3 * 2**20


class ApiV3:
    """The functions of the service over a store."""

    def __init__(self, storage: Storage, max_clock_skew_ns: int = 0) -> None:
        self._storage = storage
        self._max_clock_skew_ns = max_clock_skew_ns

    def methods(self) -> Mapping[str, Method]:
        """Return the methods of `QueryService`."""
        return {
            "GetTrace": self._get_trace,
            "FindTraces": self._find_traces,
            "FindTraceSummaries": self._find_trace_summaries,
            "GetServices": self._get_services,
            "GetOperations": self._get_operations,
            "GetDependencies": self._get_dependencies,
        }

    def _get_trace(self, request: pb.GetTraceRequest) -> Iterator[TracesData]:
        try:
            trace_id = parse_hex_trace_id(request.trace_id)
        except InvalidTraceId as error:
            raise CallFailed(grpc.StatusCode.UNKNOWN, f"malform trace ID: {error}") from error
        found = False
        for message in self._traces([trace_id], request.raw_traces):
            found = True
            yield message
        if not found:
            raise not_found()

    def _find_traces(self, request: pb.FindTracesRequest) -> Iterator[TracesData]:
        for ids in found_ids(self._storage, _query(request)):
            yield from self._traces(ids, request.query.raw_traces)

    def _traces(self, ids: list[bytes], raw: bool) -> Iterator[TracesData]:
        for spans in span_tables(self._storage, ids):
            for rows in read_traces(spans):
                yield from spans_chunks(rows if raw else adjusted(rows, self._max_clock_skew_ns), MAX_MESSAGE_BYTES)

    def _find_trace_summaries(self, request: pb.FindTraceSummariesRequest) -> Iterator[pb.FindTraceSummariesResponse]:
        for ids in found_ids(self._storage, _query(request)):
            for summaries in adjusted_summaries(self._storage, ids, self._max_clock_skew_ns):
                for fitting in in_messages(map(with_hex_id, summaries)):
                    yield pb.FindTraceSummariesResponse(summaries=fitting)

    def _get_services(self, _: pb.GetServicesRequest) -> pb.GetServicesResponse:
        return pb.GetServicesResponse(services=self._storage.services())

    def _get_operations(self, request: pb.GetOperationsRequest) -> pb.GetOperationsResponse:
        found = operations(self._storage, request.service, request.span_kind)
        return pb.GetOperationsResponse(
            operations=[pb.Operation(name=each.name, span_kind=kind_text(each)) for each in found]
        )

    def _get_dependencies(self, request: pb.GetDependenciesRequest) -> pb.DependenciesResponse:
        start, end = time_of(request, "start_time"), time_of(request, "end_time")
        if start is None:
            raise invalid("start_time is required")
        if end is None:
            raise invalid("end_time is required")
        if end <= start:
            raise invalid("end_time must be after start_time")
        found = self._storage.dependencies(range_of(request, "start_time", "end_time"))
        return pb.DependenciesResponse(
            dependencies=[pb.Dependency(parent=d.parent, child=d.child, call_count=d.call_count) for d in found]
        )


def _query(request: pb.FindTracesRequest | pb.FindTraceSummariesRequest) -> TraceQuery:
    if not request.HasField("query"):
        raise invalid("missing query")
    query = request.query
    if time_of(query, "start_time_min") is None or time_of(query, "start_time_max") is None:
        raise invalid("start time min and max are required parameters")
    filter_call = query.filter if query.HasField("filter") else None
    time = range_of(query, "start_time_min", "start_time_max")
    return trace_query(query, time, query.attributes, filter_call)
