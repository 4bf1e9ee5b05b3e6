"""Summaries over HTTP are of adjusted spans, as a trace's own page is."""

import uuid

import httpx
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from storage.agents import AgentStorage
from storage.api import Batch, empty_logs
from storage.queries import Signal
from storage.schemas import AGENT_SPANS
from tests.component.jaeger_http.conftest import T0
from tests.stored import table

RANGE = "query.startTimeMin=2025-11-21T00:00:00Z&query.startTimeMax=2025-11-22T00:00:00Z"


@pytest.fixture(autouse=True, scope="module")
def _shared_ids(storage: AgentStorage) -> None:
    """Store a call whose server, with a clock that is ahead of the client's, has the client's span id."""
    data = TracesData()
    for service, kind, start in (("dialer", 3, T0), ("called", 2, T0 - 10**6)):
        resource = data.resource_spans.add()
        resource.resource.attributes.add(key="service.name").value.string_value = service
        resource.scope_spans.add().spans.add(
            trace_id=b"zipkin's shared!", span_id=b"sharedid", name=f"{service}'s", kind=kind,
            start_time_unix_nano=start, end_time_unix_nano=start + 10**7,
        )  # fmt: skip
    storage.write(Batch(str(uuid.uuid4()), table(Signal.TRACES, data), empty_logs(), AGENT_SPANS.empty_table()))


def test_the_root_is_the_client_whose_id_the_server_shares(http: httpx.Client) -> None:
    (found,) = http.get(f"/api/v3/trace-summaries?{RANGE}&query.serviceName=called").json()["summaries"]
    assert (found["rootServiceName"], found["rootOperationName"]) == ("dialer", "dialer's")
    assert (found["spanCount"], found["minStartTimeUnixNano"]) == (2, str(T0 - 10**6))
