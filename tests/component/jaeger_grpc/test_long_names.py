"""Names of spans so long that a client could not receive the lists of them in one message."""

from collections.abc import Callable

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, TracesData

from exporters.jaeger.generated import api_v2_pb2 as v2
from exporters.jaeger.generated import api_v3_pb2 as v3
from exporters.jaeger.generated import storage_v2_pb2 as remote
from tests.component.jaeger_grpc.client import Client
from tests.component.query.shop import resource, span

V2, V3 = (pb.DESCRIPTOR.services_by_name["QueryService"] for pb in (v2, v3))
REMOTE = remote.DESCRIPTOR.services_by_name["TraceReader"]
EVER = {"start_time_min": Timestamp(seconds=1), "start_time_max": Timestamp(seconds=4_000_000_000)}
TRACES, NAME_BYTES, MOST = 12, 500_000, 4 * 2**20


def test_lists_of_long_names_fit_the_messages_that_clients_receive(
    client: Client, write: Callable[[TracesData], None]
) -> None:
    spans = [
        span(bytes(15) + bytes([1 + number]), 1, 0, chr(97 + number) * NAME_BYTES, 0, 1) for number in range(TRACES)
    ]
    spans.append(span(b"T" * 16, 1, 0, "short", 0, 1))
    write(TracesData(resource_spans=[ResourceSpans(resource=resource("front"), scope_spans=[ScopeSpans(spans=spans)])]))

    found: list[Message]
    for service, pb in ((V3, v3), (REMOTE, remote)):
        query = pb.TraceQueryParameters(search_depth=100, **EVER)
        found = client.stream(service, "FindTraceSummaries", pb.FindTraceSummariesRequest(query=query))
        assert sum(len(message.summaries) for message in found) == TRACES + 1
        assert all(message.ByteSize() < MOST for message in found)

    for service, pb in ((V2, v2), (V3, v3), (REMOTE, remote)):
        answer = client.one(service, "GetOperations", pb.GetOperationsRequest(service="front"))
        assert [len(each.name) for each in answer.operations] == [NAME_BYTES] * 3 + [len("short")]
        assert answer.ByteSize() < MOST
