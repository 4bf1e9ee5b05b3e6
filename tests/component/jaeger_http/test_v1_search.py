"""Searching traces over Jaeger's v1 API, and the services and operations to search for."""

import httpx
import pytest

from tests.component.jaeger_http.conftest import T0
from tests.component.jaeger_http.v1_answers import ID, RANGE, data, failure, ids


def test_services(http: httpx.Client) -> None:
    assert http.get("/api/services").json() == {
        "data": ["batch/jobs", "missing-service-name", "payments", "shop"],
        "total": 4,
        "limit": 0,
        "offset": 0,
        "errors": None,
    }


def test_operations(http: httpx.Client) -> None:
    assert data(http.get("/api/operations?service=payments&spanKind=server")) == [
        {"name": "charge", "spanKind": "server"}
    ]
    everything = data(http.get("/api/operations?service=payments"))
    assert {"name": "orphan", "spanKind": ""} in everything
    assert data(http.get("/api/operations?service=payments&spanKind=nonsense")) == []
    assert failure(http.get("/api/operations")) == (400, "parameter 'service' is required")


def test_operation_names(http: httpx.Client) -> None:
    response = http.get("/api/services/shop/operations")
    assert data(response) == ["POST /checkout", "charge", "follows its parent"]
    assert response.json()["total"] == 3
    assert data(http.get("/api/services/batch%2Fjobs/operations")) == ["run"]
    assert data(http.get("/api/services/batch%252Fjobs/operations")) == ["run"]
    assert data(http.get("/api/services/nobody/operations")) is None


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("service=batch/jobs", ["0000000000000003", "0000000000000002", "0000000000000001"]),
        ("service=batch/jobs&limit=2", ["0000000000000003", "0000000000000002"]),
        ("service=batch/jobs&minDuration=2ms&maxDuration=2ms", ["0000000000000002"]),
        ("service=batch/jobs&tag=job:1", ["0000000000000001"]),
        ('service=batch/jobs&tags={"job":"2"}', ["0000000000000002"]),
        ('service=batch/jobs&tags={"error":"true"}', ["0000000000000003"]),
        ('service=batch/jobs&tags={"error":"false"}', ["0000000000000002", "0000000000000001"]),
        ('service=batch/jobs&tags={"error":"perhaps"}', []),
        ("service=shop&operation=charge", [ID]),
        ("service=payments&tag=span.kind:Server&tag=span.status:error", [ID]),
        ("service=shop&tag=scope.name:shop.http&tag=scope.version:1.2.3", [ID]),
        ("service=shop&tag=resource.host.name:web-1", [ID]),
        ("service=shop&tag=resource.count:42", []),
        ("service=shop&tag=count:42&tag=ratio:72.5&tag=ok:true", [ID]),
        ("service=shop&tag=message:no name", [ID]),
        ("service=shop&tag=opentracing.ref_type:child_of", [ID]),
        ("service=nobody", []),
    ],
)
def test_search(http: httpx.Client, query: str, found: list[str]) -> None:
    assert ids(http.get(f"/api/traces?{RANGE}&{query}")) == found


def test_the_end_of_the_range_is_within(http: httpx.Client) -> None:
    at = T0 // 1000 + 60_000_000
    assert ids(http.get(f"/api/traces?service=batch/jobs&start={at}&end={at}")) == ["0000000000000001"]
    assert ids(http.get(f"/api/traces?service=batch/jobs&start={at + 1}&end={at + 2}")) == []


def test_without_times_the_last_two_days_are_searched(http: httpx.Client) -> None:
    assert ids(http.get("/api/traces?service=batch/jobs")) == []


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "parameter 'service' is required"),
        ("service=a&minDuration=20", "unable to parse param 'minDuration': time: missing unit in duration \"20\""),
        ("service=a&minDuration=2s&maxDuration=1s", "'maxDuration' should be greater than 'minDuration'"),
        ("service=a&start=x", "unable to parse param 'start': strconv.ParseInt: parsing \"x\": invalid syntax"),
        ("service=a&limit=x", 'strconv.ParseInt: parsing "x": invalid syntax'),
        ("service=a&limit=0", "search depth must be greater than 0 and less than max traces"),
        ("service=a&tag=k", "malformed 'tag' parameter, expecting key:value, received: k"),
        (
            'service=a&tags={"k":123}',
            "malformed 'tags' parameter, cannot unmarshal JSON: "
            "json: cannot unmarshal number into Go value of type string",
        ),
        ("service=a&" + "&".join(f"tag=k{number}:1" for number in range(65)), "more than 64 tags"),
        ("traceID=xyz", 'cannot parse traceID param: strconv.ParseUint: parsing "xyz": invalid syntax'),
        ("service=a&raw=x", "unable to parse param 'raw': strconv.ParseBool: parsing \"x\": invalid syntax"),
    ],
)
def test_parameters_that_cannot_be_read(http: httpx.Client, query: str, message: str) -> None:
    assert failure(http.get(f"/api/traces?{query}")) == (400, message)


def test_traces_by_id_report_what_is_missing(http: httpx.Client) -> None:
    body = http.get(f"/api/traces?traceID={ID}&traceID=1&traceID=dead").json()
    assert [trace["traceID"] for trace in body["data"]] == [ID, "0000000000000001"]
    assert body["errors"] == [{"msg": "trace not found", "traceID": "000000000000dead"}]
