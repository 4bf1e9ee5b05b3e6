"""What no LogQL query may cost, whatever was stored."""

import uuid
from collections.abc import Sequence

import httpx
import orjson
import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from storage.api import Batch, Storage
from storage.queries import Signal
from storage.schemas import AGENT_SPANS, SPANS
from tests.component.query.shop import MS, T0, any_value, attributes, logs_message
from tests.stored import table

API = "/loki/loki/api/v1"
DAY = {"start": str(T0 - 10**9), "end": str(T0 + 10 * 10**9)}
CENTURIES = {"start": "0", "end": str(2**64 - 1), "step": "15000w"}


@pytest.fixture(scope="module", autouse=True)
def many(storage: Storage) -> None:
    """Store 600 records of 600 requests, and one whose line is a thousand objects in one another."""
    deep = orjson.dumps(orjson.Fragment(b'{"a":' * 1000 + b"1" + b"}" * 1000)).decode()
    write(storage, "many", [LogRecord(attributes=attributes({"request": str(each)})) for each in range(600)])
    write(storage, "deep", [LogRecord(body=any_value(deep)), LogRecord(body=any_value('{"a":{"b":1}}'))])


def write(storage: Storage, service: str, records: Sequence[LogRecord]) -> None:
    for number, record in enumerate(records):
        record.time_unix_nano = T0 + number * MS
    logs = table(Signal.LOGS, logs_message({service: list(records)}))
    storage.write(Batch(f"{service}-{uuid.uuid4()}", SPANS.empty_table(), logs, AGENT_SPANS.empty_table()))


@pytest.mark.parametrize("path", ["query_range", "query"])
def test_series_are_bounded(http: httpx.Client, path: str) -> None:
    asked = {**DAY, "step": "1s", "time": str(T0 + 5 * 10**9)}
    counted = 'count_over_time({service_name="many"}[10s])'
    refused = http.get(f"{API}/{path}", params={**asked, "query": counted})
    assert (refused.status_code, refused.json()["message"].partition(";")[0]) == (400, "more than 500 series")
    answer = http.get(f"{API}/{path}", params={**asked, "query": f"sum by (service_name) ({counted})"})
    assert [each["metric"] for each in answer.json()["data"]["result"]] == [{"service_name": "many"}]


def test_points_of_all_series_are_bounded(http: httpx.Client) -> None:
    few = 'sum by (request) (count_over_time({service_name="many"} | request=~"[0-9]" [1s]))'
    day = {"start": str(T0 - 10_000 * 10**9), "end": str(T0 + 10**9)}
    assert (
        len(http.get(f"{API}/query_range", params={**day, "query": few, "step": "1s"}).json()["data"]["result"]) == 10
    )
    more = few.replace('"[0-9]"', '"[0-4]?[0-9]?[0-9]"')
    refused = http.get(f"{API}/query_range", params={**day, "query": more, "step": "1s"})
    assert (refused.status_code, refused.json()["message"].partition(";")[0]) == (400, "more than 199 series")


def test_deep_lines_are_read_as_far_as_they_go(http: httpx.Client) -> None:
    answer = http.get(f"{API}/query_range", params={**DAY, "query": '{service_name="deep"} | json | a_b="1"'})
    assert answer.status_code == 200, answer.text
    assert [stream["values"][0][1] for stream in answer.json()["data"]["result"]] == ['{"a":{"b":1}}']


def test_times_beyond_what_numpy_counts(http: httpx.Client) -> None:
    query = 'sum by (service_name) (count_over_time({service_name="many"}[15000w]))'
    answer = http.get(f"{API}/query_range", params={**CENTURIES, "query": query})
    assert answer.status_code == 200, answer.text
    (found,) = answer.json()["data"]["result"]
    assert [count for _, count in found["values"]] == ["600"]


def test_selections_are_bounded(http: httpx.Client) -> None:
    assert http.get(f"{API}/series", params={"match[]": ["{}"] * 32}).status_code == 200
    refused = http.get(f"{API}/series", params={"match[]": ["{}"] * 33})
    assert (refused.status_code, refused.json()["message"]) == (400, "invalid match[]: more than 32 selections")
