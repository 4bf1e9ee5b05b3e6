"""`jaeger.storage.v2`: Baton as the remote storage of a Jaeger in front. What is stored is answered as it is."""

import base64
from collections.abc import Iterator, Mapping
from itertools import islice

from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from collector.query.jaeger_grpc.calls import Method
from collector.query.jaeger_grpc.errors import invalid
from collector.query.jaeger_grpc.filters import LEVELS, OPERATORS
from collector.query.jaeger_grpc.queries import kind_text, operations, range_of, trace_id_of, trace_query
from collector.query.jaeger_grpc.summaries import in_messages, with_raw_id
from collector.query.trace_reads import found_ids, span_tables
from exporters.jaeger.generated import storage_v2_pb2 as pb
from exporters.jaeger.reading import read_traces
from exporters.otlp.protobuf import spans_chunks
from exporters.trace_summary import COLUMNS, summarize
from storage.api import Storage
from storage.attributes import BYTES, from_any_value
from storage.queries import TraceQuery

# Jaeger receives at most 4 MiB in a message; an answer that cannot be streamed has to fit as a whole.
MAX_MESSAGE_BYTES = 3 * 2**20
_MAX_IDS = 150_000  # about 20 bytes each


class StorageV2:
    """The functions of TraceReader, DependencyReader and Capabilities over a store."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def trace_reader(self) -> Mapping[str, Method]:
        """Return the methods of `TraceReader`."""
        return {
            "GetTraces": self._get_traces,
            "GetServices": self._get_services,
            "GetOperations": self._get_operations,
            "FindTraces": self._find_traces,
            "FindTraceIDs": self._find_trace_ids,
            "FindTraceSummaries": self._find_trace_summaries,
        }

    def dependency_reader(self) -> Mapping[str, Method]:
        """Return the methods of `DependencyReader`."""
        return {"GetDependencies": self._get_dependencies}

    def capabilities(self) -> Mapping[str, Method]:
        """Return the methods of `Capabilities`."""
        return {"GetCapabilities": _get_capabilities}

    def _get_traces(self, request: pb.GetTracesRequest) -> Iterator[TracesData]:
        """Answer whole traces; the times of the request are hints that the store does not need."""
        yield from self._traces(list(dict.fromkeys(trace_id_of(query.trace_id) for query in request.query)))

    def _find_traces(self, request: pb.FindTracesRequest) -> Iterator[TracesData]:
        for ids in found_ids(self._storage, _query(request)):
            yield from self._traces(ids)

    def _traces(self, ids: list[bytes]) -> Iterator[TracesData]:
        for spans in span_tables(self._storage, ids):
            for rows in read_traces(spans):
                yield from spans_chunks(rows, MAX_MESSAGE_BYTES)

    def _find_trace_ids(self, request: pb.FindTraceIDsRequest) -> pb.FindTraceIDsResponse:
        ids = (trace_id for page in found_ids(self._storage, _query(request)) for trace_id in page)
        found = [pb.FoundTraceID(trace_id=trace_id) for trace_id in islice(ids, _MAX_IDS)]
        return pb.FindTraceIDsResponse(trace_ids=found)

    def _find_trace_summaries(self, request: pb.FindTraceSummariesRequest) -> Iterator[pb.FindTraceSummariesResponse]:
        for ids in found_ids(self._storage, _query(request)):
            for spans in span_tables(self._storage, ids, COLUMNS):
                for fitting in in_messages(map(with_raw_id, summarize(spans))):
                    yield pb.FindTraceSummariesResponse(summaries=fitting)

    def _get_services(self, _: pb.GetServicesRequest) -> pb.GetServicesResponse:
        return pb.GetServicesResponse(services=self._storage.services())

    def _get_operations(self, request: pb.GetOperationsRequest) -> pb.GetOperationsResponse:
        found = operations(self._storage, request.service, request.span_kind)
        return pb.GetOperationsResponse(
            operations=[pb.Operation(name=each.name, span_kind=kind_text(each)) for each in found]
        )

    def _get_dependencies(self, request: pb.GetDependenciesRequest) -> pb.GetDependenciesResponse:
        found = self._storage.dependencies(range_of(request, "start_time", "end_time"))
        return pb.GetDependenciesResponse(
            dependencies=[pb.Dependency(parent=d.parent, child=d.child, call_count=d.call_count) for d in found]
        )


def _get_capabilities(_: pb.GetCapabilitiesRequest) -> pb.GetCapabilitiesResponse:
    """Name what the store does exactly; the filter module refuses everything else."""
    search = pb.SearchCapabilities(
        without_service_name=True,
        same_span_conjunction=True,
        filter=pb.FilterCapabilities(levels=LEVELS, operators=OPERATORS),
    )
    return pb.GetCapabilitiesResponse(search=search)


def _query(
    request: pb.FindTracesRequest | pb.FindTraceIDsRequest | pb.FindTraceSummariesRequest,
) -> TraceQuery:
    if not request.HasField("query"):
        raise invalid("missing query")
    query = request.query
    attributes = {pair.key: _text(pair) for pair in query.attributes}
    filter_call = query.filter if query.HasField("filter") else None
    return trace_query(query, range_of(query, "start_time_min", "start_time_max"), attributes, filter_call)


def _text(pair: KeyValue) -> str:
    letter, raw = from_any_value(pair.value)
    return base64.b64encode(raw).decode() if letter == BYTES else raw.decode("utf-8", "replace")
