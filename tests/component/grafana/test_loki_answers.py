"""Answers that Grafana's own Loki backend can read, which parses them as they come, in requests of its own making.

Source: grafana-loki-datasource 13.1.0, with the `promlib` converter that it reads answers with.
"""

import uuid

import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from storage.api import Batch, Storage
from storage.queries import Signal
from storage.schemas import AGENT_SPANS, SPANS
from tests.component.query.shop import MS, T0, any_value, attributes
from tests.stored import table

API = "/loki/loki/api/v1"
HEADERS = {"X-Loki-Response-Encoding-Flags": "categorize-labels", "X-Query-Tags": "Source=logvolhist"}


def query_range(http: httpx.Client, query: str, **parameters: str) -> httpx.Response:
    window = {"start": str(T0 - 10**9), "end": str(T0 + 10 * 10**9), "direction": "backward", "step": "1000ms"}
    return http.get(f"{API}/query_range", params={"query": query, **window, **parameters}, headers=HEADERS)


def test_streams_say_how_they_are_written_before_they_come(http: httpx.Client) -> None:
    answer = query_range(http, '{service_name="cart/eu"}', limit="1")
    assert list(answer.json()) == ["status", "data"]
    assert list(answer.json()["data"]) == ["encodingFlags", "resultType", "result"]
    (stream,) = answer.json()["data"]["result"]
    assert list(stream) == ["stream", "values"]
    ((time, line, labels),) = stream["values"]
    assert (time, type(line), list(labels)) == (str(T0 + 9 * MS), str, ["structuredMetadata", "parsed"])


@pytest.mark.parametrize("query", ["rate({}[1s])", "vector(1)"])
def test_series_say_their_type_before_they_come(http: httpx.Client, query: str) -> None:
    assert list(query_range(http, query).json()["data"]) == ["resultType", "result"]
    instant = http.get(f"{API}/query", params={"query": query, "direction": "backward", "time": str(T0 + 10**9)})
    assert list(instant.json()["data"]) == ["resultType", "result"]


def test_nothing_found_is_an_empty_result(http: httpx.Client) -> None:
    # Statistics would become a table without columns.
    answer = query_range(http, 'sum by (level) (count_over_time({service_name="nobody"}[1s]))').json()
    assert answer == {"status": "success", "data": {"resultType": "matrix", "result": []}}


def test_the_labels_of_one_record_are_found_by_its_millisecond(http: httpx.Client) -> None:
    # "Show context" asks so, for a query with a parser; the record may be some nanoseconds later.
    at = str(T0 + 6 * MS)  # no record is at that nanosecond
    params = {"match[]": '{service_name="cart/eu"}', "start": at, "end": at}
    found = http.get(f"{API}/series", params=params).json()["data"]
    assert {"service_name", "level", "host_name"} == set(found[0])


@pytest.mark.parametrize(
    "path",
    ["detected_fields", "detected_field/a/values", "patterns", "index/volume", "index/shards", "drilldown-limits"],
)
def test_what_is_not_answered_says_so(http: httpx.Client, path: str) -> None:
    answer = http.get(f"{API}/{path}", params={"query": '{service_name="shop"}'})
    assert answer.status_code == 404
    assert answer.json()["message"] == f"{path} is not supported"


def test_an_attribute_without_a_name_is_no_label(http: httpx.Client, storage: Storage) -> None:
    record = LogRecord(time_unix_nano=T0, body=any_value("line"), attributes=attributes({"": "x", "a.b": "y"}))
    named = Resource(attributes=attributes({"service.name": "nameless", "": "x"}))
    message = ExportLogsServiceRequest(
        resource_logs=[ResourceLogs(resource=named, scope_logs=[ScopeLogs(log_records=[record])])]
    )
    logs = table(Signal.LOGS, message.SerializeToString())
    storage.write(Batch(f"nameless-{uuid.uuid4()}", SPANS.empty_table(), logs, AGENT_SPANS.empty_table()))
    (stream,) = query_range(http, '{service_name="nameless"}').json()["data"]["result"]
    assert stream["stream"] == {"service_name": "nameless", "level": "unknown"}
    assert stream["values"][0][2]["structuredMetadata"] == {"detected_level": "unknown", "a_b": "y"}
    assert "" not in http.get(f"{API}/labels").json()["data"]
