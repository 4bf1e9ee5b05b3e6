"""Jaeger's v3 API over HTTP, as the current UI uses it."""

import json
import re
from typing import Any

import httpx
import pytest

from tests.component.jaeger_http.conftest import Serve

ID = "0000000000000000a1b2c3d4e5f60718"
RANGE = "query.startTimeMin=2025-11-21T00:00:00Z&query.startTimeMax=2025-11-22T00:00:00.000Z"


def ok(response: httpx.Response) -> Any:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    return response.json()


def failure(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.headers["x-content-type-options"] == "nosniff"
    body = response.json()
    assert list(body) == ["error"]
    assert list(body["error"]) == ["httpCode", "message"]
    assert body["error"]["httpCode"] == response.status_code
    return response.status_code, body["error"]["message"]


def test_names(http: httpx.Client) -> None:
    assert ok(http.get("/api/v3/services")) == {"services": ["batch/jobs", "missing-service-name", "payments", "shop"]}
    assert ok(http.get("/api/v3/operations?service=payments&spanKind=server")) == {
        "operations": [{"name": "charge", "spanKind": "server"}]
    }
    assert ok(http.get("/api/v3/operations?service=payments&span_kind=producer")) == {
        "operations": [{"name": "clock runs behind", "spanKind": "producer"}]
    }
    everything = ok(http.get("/api/v3/operations?service=payments"))["operations"]
    assert {"name": "orphan", "spanKind": "internal"} in everything
    assert ok(http.get("/api/v3/operations?service=nobody")) == {"operations": []}


def test_one_trace(http: httpx.Client) -> None:
    spans = ok(http.get(f"/api/v3/traces/{ID}"))["result"]["resourceSpans"]
    assert len(spans) == 3
    found = [span for group in spans for scope in group["scopeSpans"] for span in scope["spans"]]
    assert {span["traceId"] for span in found} == {ID}
    assert ok(http.get(f"/api/v3/traces/{ID[16:]}?startTime=2020-01-01T00:00:00Z&end_time=2020-01-02T00:00:00+02:00"))


def test_a_raw_trace_keeps_shared_ids(http: httpx.Client) -> None:
    for name in ("rawTraces", "raw_traces"):
        groups = ok(http.get(f"/api/v3/traces/{ID}?{name}=true"))["result"]["resourceSpans"]
        span_ids = [span["spanId"] for group in groups for scope in group["scopeSpans"] for span in scope["spans"]]
        assert span_ids.count("00000000000000b2") == 2


def test_trace_errors(http: httpx.Client) -> None:
    assert failure(http.get("/api/v3/traces/dead")) == (404, "No traces found")
    code, message = failure(http.get("/api/v3/traces/not-an-id!"))
    assert code == 400
    assert message.startswith("malformed parameter trace_id: ")
    assert failure(http.get(f"/api/v3/traces/{ID}?startTime=x"))[0] == 400


def test_search_answers_all_traces_in_one(http: httpx.Client) -> None:
    groups = ok(http.get(f"/api/v3/traces?{RANGE}&query.serviceName=batch/jobs"))["result"]["resourceSpans"]
    assert [group["scopeSpans"][0]["spans"][0]["traceId"][-1] for group in groups] == ["3", "2", "1"]
    assert failure(http.get(f"/api/v3/traces?{RANGE}&query.serviceName=nobody")) == (404, "No traces found")


def test_grafana_writes_snake_case_and_a_bare_plus(http: httpx.Client) -> None:
    query = (
        "query.service_name=batch/jobs&query.operation_name=run&query.duration_min=2ms&query.duration_max=2ms"
        "&query.start_time_min=2025-11-21T02:00:00+02:00&query.start_time_max=2025-11-22T02:00:00+02:00"
    )
    (group,) = ok(http.get(f"/api/v3/traces?{query}"))["result"]["resourceSpans"]
    assert group["scopeSpans"][0]["spans"][0]["traceId"][-1] == "2"


def test_summaries(http: httpx.Client) -> None:
    (found,) = ok(http.get(f"/api/v3/trace-summaries?{RANGE}&query.serviceName=shop"))["summaries"]
    assert found == {
        "traceId": ID,
        "rootServiceName": "shop",
        "rootOperationName": "POST /checkout",
        "minStartTimeUnixNano": "1763699999970000000",
        "maxEndTimeUnixNano": "1763700000250000999",
        "spanCount": 8,
        "errorSpanCount": 2,
        "orphanSpanCount": 1,
        "services": [
            {"name": "missing-service-name", "spanCount": 1},
            {"name": "payments", "spanCount": 4, "errorSpanCount": 1},
            {"name": "shop", "spanCount": 3, "errorSpanCount": 1},
        ],
    }


@pytest.mark.parametrize(
    ("query", "last_digits"),
    [
        ("", "3218"),
        ("query.searchDepth=2", "32"),
        ("query.num_traces=1", "3"),
        ('query.attributes={"job":"2"}', "2"),
        ('query.attributes={"error":"true"}&query.serviceName=batch/jobs', "3"),
        ("query.serviceName=nobody", ""),
    ],
)
def test_summaries_are_found_without_a_service_name_too(http: httpx.Client, query: str, last_digits: str) -> None:
    summaries = ok(http.get(f"/api/v3/trace-summaries?{RANGE}&{query}"))["summaries"]
    assert "".join(summary["traceId"][-1] for summary in summaries) == last_digits
    assert all(re.fullmatch("[0-9a-f]{32}", summary["traceId"]) for summary in summaries)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "query.startTimeMin and query.startTimeMax are required"),
        ("query.startTimeMin=2025-01-01T00:00:00Z", "query.startTimeMin and query.startTimeMax are required"),
        (
            "query.startTimeMin=2025-01-02T00:00:00Z&query.startTimeMax=2025-01-01T00:00:00Z",
            "query.startTimeMin must be before query.startTimeMax",
        ),
        (
            RANGE + "&query.durationMin=20",
            'malformed parameter query.durationMin: time: missing unit in duration "20"',
        ),
        (
            RANGE + "&query.search_depth=x",
            'malformed parameter query.search_depth: strconv.Atoi: parsing "x": invalid syntax',
        ),
        (RANGE + "&query.searchDepth=0", "search depth must be greater than 0 and less than max traces"),
        (
            RANGE + '&query.attributes={"a":1}',
            "malformed parameter query.attributes: json: cannot unmarshal number into Go value of type string",
        ),
        (
            RANGE + f"&query.attributes={json.dumps({f'k{number}': '1' for number in range(65)})}",
            "more than 64 tags",
        ),
        (
            RANGE + '&query.filter={"op":"eq"}',
            "the structured query filter is disabled: "
            'enable the "jaeger.query.structuredFilters" feature gate to use it',
        ),
    ],
)
def test_parameters_that_cannot_be_read(http: httpx.Client, query: str, message: str) -> None:
    for path in ("/api/v3/traces", "/api/v3/trace-summaries"):
        assert failure(http.get(f"{path}?{query}")) == (400, message)


def test_under_a_base_path(serve: Serve) -> None:
    with serve(base_path="/obs") as http:
        assert ok(http.get(f"/obs/api/v3/traces/{ID}"))
