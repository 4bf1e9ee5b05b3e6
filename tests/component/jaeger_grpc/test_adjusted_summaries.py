"""Summaries of api_v3 are of adjusted spans; those of remote storage are of the spans as they are stored."""

from collections.abc import Callable

from google.protobuf.timestamp_pb2 import Timestamp
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, TracesData

from exporters.jaeger.generated import api_v3_pb2 as v3
from exporters.jaeger.generated import storage_v2_pb2 as remote
from tests.component.jaeger_grpc.client import Client
from tests.component.jaeger_grpc.town import CLIENT, SERVER
from tests.component.query.shop import resource, span

V3 = v3.DESCRIPTOR.services_by_name["QueryService"]
REMOTE = remote.DESCRIPTOR.services_by_name["TraceReader"]
TRACE = b"zipkin's shared!"
EVER = {"start_time_min": Timestamp(seconds=1), "start_time_max": Timestamp(seconds=4_000_000_000)}


def test_a_server_that_shares_its_clients_id_is_no_root(client: Client, write: Callable[[TracesData], None]) -> None:
    calling = span(TRACE, 1, 0, "call", 5, 50, kind=CLIENT)
    serving = span(TRACE, 1, 0, "serve", 0, 40, kind=SERVER)
    groups = [
        ResourceSpans(resource=resource(service), scope_spans=[ScopeSpans(spans=[each])])
        for service, each in (("front", calling), ("stock", serving))
    ]
    write(TracesData(resource_spans=groups))
    query = v3.TraceQueryParameters(service_name="stock", **EVER)
    (answer,) = client.stream(V3, "FindTraceSummaries", v3.FindTraceSummariesRequest(query=query))
    assert [each.root_operation_name for each in answer.summaries] == ["call"]
    stored = remote.TraceQueryParameters(service_name="stock", search_depth=1, **EVER)
    (answer,) = client.stream(REMOTE, "FindTraceSummaries", remote.FindTraceSummariesRequest(query=stored))
    assert [each.root_operation_name for each in answer.summaries] == ["serve"]
