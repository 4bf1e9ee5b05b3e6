"""`jaeger.api_v2.QueryService`: Jaeger's own span model, in chunks of ten spans of one trace."""

from collections.abc import Iterator, Mapping
from typing import Never

import grpc

from collector.query.jaeger_grpc.calls import Method
from collector.query.jaeger_grpc.errors import CallFailed, invalid, not_found
from collector.query.jaeger_grpc.queries import (
    kind_text,
    operations,
    range_of,
    time_of,
    trace_id_of,
    trace_query,
)
from collector.query.trace_reads import found_ids, spans_with_transfers
from exporters.jaeger.adjust import adjusted
from exporters.jaeger.generated import api_v2_pb2 as pb
from exporters.jaeger.model_v2 import span_message
from exporters.jaeger.reading import read_traces
from exporters.jaeger.transfers import FindTransfers
from storage.api import Storage

_SPANS_A_CHUNK = 10
_MAX_CHUNK_BYTES = 3 * 2**20  # clients receive at most 4 MiB in a message


class ApiV2:
    """The functions of the service over a store."""

    def __init__(
        self,
        storage: Storage,
        max_clock_skew_ns: int = 0,
        transfers: FindTransfers | None = None,
    ) -> None:
        """Answer from a store; `transfers` answers the agent transfers of traces, see `exporters.jaeger.transfers`."""
        self._storage = storage
        self._max_clock_skew_ns = max_clock_skew_ns
        self._transfers = transfers

    def methods(self) -> Mapping[str, Method]:
        """Return the methods of `QueryService`."""
        return {
            "GetTrace": self._get_trace,
            "ArchiveTrace": self._archive_trace,
            "FindTraces": self._find_traces,
            "GetServices": self._get_services,
            "GetOperations": self._get_operations,
            "GetDependencies": self._get_dependencies,
        }

    def _get_trace(self, request: pb.GetTraceRequest) -> Iterator[pb.SpansResponseChunk]:
        found = False
        for chunk in self._chunks([_initialized(request.trace_id)], request.raw_traces):
            found = True
            yield chunk
        if not found:
            raise not_found()

    @staticmethod
    def _archive_trace(request: pb.ArchiveTraceRequest) -> Never:
        _initialized(request.trace_id)
        raise CallFailed(grpc.StatusCode.INTERNAL, "failed to archive trace: archive span storage was not configured")

    def _find_traces(self, request: pb.FindTracesRequest) -> Iterator[pb.SpansResponseChunk]:
        if not request.HasField("query"):
            raise invalid("missing query")
        query = request.query
        time = range_of(query, "start_time_min", "start_time_max")
        for ids in found_ids(self._storage, trace_query(query, time, query.tags, None)):
            yield from self._chunks(ids, query.raw_traces)

    def _chunks(self, ids: list[bytes], raw: bool) -> Iterator[pb.SpansResponseChunk]:
        for spans, transfers in spans_with_transfers(self._storage, ids, self._transfers):
            for rows in read_traces(spans):
                # By object, because adjusters may give a span another id.
                caused = {id(row): transfers.get((row.trace_id, row.span_id), ()) for row in rows}
                shown = rows if raw else adjusted(rows, self._max_clock_skew_ns)
                for start in range(0, len(shown), _SPANS_A_CHUNK):
                    chunk = shown[start : start + _SPANS_A_CHUNK]
                    yield from _fitting([span_message(row, caused[id(row)]) for row in chunk])

    def _get_services(self, _: pb.GetServicesRequest) -> pb.GetServicesResponse:
        return pb.GetServicesResponse(services=self._storage.services())

    def _get_operations(self, request: pb.GetOperationsRequest) -> pb.GetOperationsResponse:
        found = operations(self._storage, request.service, request.span_kind)
        return pb.GetOperationsResponse(
            operationNames=dict.fromkeys(each.name for each in found),
            operations=[pb.Operation(name=each.name, span_kind=kind_text(each)) for each in found],
        )

    def _get_dependencies(self, request: pb.GetDependenciesRequest) -> pb.GetDependenciesResponse:
        if time_of(request, "start_time") is None or time_of(request, "end_time") is None:
            raise invalid("StartTime and EndTime must be initialized.")
        found = self._storage.dependencies(range_of(request, "start_time", "end_time"))
        return pb.GetDependenciesResponse(
            dependencies=[pb.DependencyLink(parent=d.parent, child=d.child, call_count=d.call_count) for d in found]
        )


def _initialized(raw: bytes) -> bytes:
    if not any(raw):
        raise invalid("uninitialized TraceID is not allowed")
    return trace_id_of(raw)


def _fitting(spans: list[pb.Span]) -> Iterator[pb.SpansResponseChunk]:
    """Yield the spans in one chunk, or in several when one would be too large for a client."""
    chunk = pb.SpansResponseChunk(spans=spans)
    if len(spans) == 1 or chunk.ByteSize() <= _MAX_CHUNK_BYTES:
        yield chunk
        return
    middle = len(spans) // 2
    yield from _fitting(spans[:middle])
    yield from _fitting(spans[middle:])
