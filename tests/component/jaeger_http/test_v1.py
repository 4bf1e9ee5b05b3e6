"""Jaeger's v1 API over HTTP, as UI 2.18 and older and Grafana's data source use it."""

import json
import re
import socket
import time
from typing import Any

import httpx
import pytest

from collector.query.jaeger.service import JaegerLimits
from tests.component.jaeger_http.conftest import CHECKOUT, T0, Serve

ID = "a1b2c3d4e5f60718"
RANGE = f"start={T0 // 1000 - 60_000_000}&end={T0 // 1000 + 600_000_000}"


def data(response: httpx.Response) -> Any:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert list(body) == ["data", "total", "limit", "offset", "errors"]
    return body["data"]


def failure(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.text.endswith("}\n")
    body = response.json()
    assert {name: body[name] for name in ("data", "total", "limit", "offset")} == {
        "data": None,
        "total": 0,
        "limit": 0,
        "offset": 0,
    }
    (error,) = body["errors"]
    assert error["code"] == response.status_code
    return error["code"], error["msg"]


def ids(response: httpx.Response) -> list[str]:
    return [trace["traceID"] for trace in data(response)]


def test_services(http: httpx.Client) -> None:
    assert http.get("/api/services").json() == {
        "data": ["batch/jobs", "missing-service-name", "payments", "shop"],
        "total": 4,
        "limit": 0,
        "offset": 0,
        "errors": None,
    }


def test_every_answer_names_its_trace(http: httpx.Client) -> None:
    for path in ("/api/services", "/api/traces/xyz", "/api/nothing", "/", "/api/v3/services"):
        assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-00", http.get(path).headers["traceresponse"])


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


def test_one_trace_however_its_id_is_written(http: httpx.Client) -> None:
    expected = data(http.get(f"/api/traces/{ID}"))
    assert len(expected[0]["spans"]) == 8
    for written in (f"0000000000000000{ID}", ID.upper(), "AAAAAAAAAAChssPU5fYHGA%3D%3D", "AAAAAAAAAAChssPU5fYHGA"):
        assert data(http.get(f"/api/traces/{written}")) == expected


def test_times_on_a_trace_are_hints(http: httpx.Client) -> None:
    assert ids(http.get(f"/api/traces/{ID}?start=1&end=2")) == [ID]
    assert failure(http.get(f"/api/traces/{ID}?start=x"))[0] == 400


def test_a_raw_trace_is_not_adjusted(http: httpx.Client) -> None:
    (trace,) = data(http.get(f"/api/traces/{ID}?raw=true"))
    assert [span["spanID"] for span in trace["spans"]].count("00000000000000b2") == 2
    assert failure(http.get(f"/api/traces/{ID}?raw=maybe"))[0] == 400


def test_unknown_and_malformed_ids(http: httpx.Client) -> None:
    assert failure(http.get("/api/traces/dead")) == (404, "trace not found")
    assert failure(http.get("/api/traces/" + "1" * 33)) == (
        400,
        "TraceID cannot be longer than 32 hex characters: " + "1" * 33,
    )
    assert failure(http.get("/api/traces/not-an-id!"))[0] == 400


def test_pretty_print(http: httpx.Client) -> None:
    plain, pretty = http.get(f"/api/traces/{ID}"), http.get(f"/api/traces/{ID}?prettyPrint=true")
    assert pretty.json() == plain.json()
    assert '\n    "data": [' in pretty.text
    assert "\n" not in http.get(f"/api/traces/{ID}?prettyPrint=false").text


def test_head_is_answered_as_get_without_a_body(http: httpx.Client) -> None:
    response = http.head("/api/services")
    assert (response.status_code, response.content) == (200, b"")


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
            "malformed 'tags' parameter, cannot unmarshal JSON: json: the value of k is not a string",
        ),
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


def test_archive_is_not_available(http: httpx.Client) -> None:
    assert failure(http.post(f"/api/archive/{ID}")) == (500, "archive span storage was not configured")
    assert failure(http.post("/api/archive/zzz"))[0] == 400


def test_dependencies(http: httpx.Client) -> None:
    query = f"/api/dependencies?endTs={T0 // 10**6 + 60_000}&lookback=3600000"
    links = {(each["parent"], each["child"]): each["callCount"] for each in data(http.get(query))}
    assert links["shop", "payments"] >= 1
    assert links["shop", "missing-service-name"] == 1
    one_side = data(http.get(f"{query}&service=missing-service-name"))
    assert one_side == [{"parent": "shop", "child": "missing-service-name", "callCount": 1}]
    assert data(http.get("/api/dependencies")) == []
    assert failure(http.get("/api/dependencies?lookback=1h"))[0] == 400


def test_transform_shows_what_was_uploaded(http: httpx.Client) -> None:
    (trace,) = data(http.post("/api/transform", content=CHECKOUT.read_bytes()))
    assert trace["processes"]["p3"]["serviceName"] == ""
    assert trace["spans"][0]["tags"][2] == {"key": "zeta", "type": "string", "value": "last"}


def test_an_upload_that_breaks_off_is_no_defect(http: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    head = b"POST /api/transform HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n"
    with socket.create_connection((http.base_url.host, http.base_url.port or 0), timeout=5) as connection:
        connection.sendall(head + b"{")
        time.sleep(0.2)
    route = 'baton_http_request_seconds_count{route="/api/transform",status="499"}'
    deadline = time.monotonic() + 5
    while route not in http.get("/metrics").text and time.monotonic() < deadline:
        time.sleep(0.05)
    assert route in http.get("/metrics").text
    assert not caplog.records


def test_transform_keeps_spans_that_stand_twice(http: httpx.Client) -> None:
    span = {"traceId": "1" * 32, "spanId": "2" * 16, "name": "twice"}
    document = {"resourceSpans": [{"scopeSpans": [{"spans": [span, span]}]}]}
    (trace,) = data(http.post("/api/transform", json=document))
    assert [each["operationName"] for each in trace["spans"]] == ["twice", "twice"]
    assert trace["processes"] == {"p1": {"serviceName": "OTLPResourceNoServiceName", "tags": []}}


def test_transform_refuses_what_is_no_otlp(http: httpx.Client) -> None:
    for body in (b"", b"{", b"[]", json.dumps({"resourceSpans": 1}).encode()):
        code, message = failure(http.post("/api/transform", content=body))
        assert code == 400
        assert message.startswith("cannot unmarshal OTLP : ")


def test_limits(serve: Serve) -> None:
    small = JaegerLimits(max_traces=1, max_trace_spans=3, max_answer_bytes=1_000, max_transform_bytes=100)
    with serve(limits=small) as http:
        assert ids(http.get(f"/api/traces?service=batch/jobs&{RANGE}")) == ["0000000000000003"]
        (trace,) = data(http.get("/api/traces/0000000000000001"))
        assert trace["spans"][0]["operationName"] == "run"
        assert failure(http.get(f"/api/traces/{ID}"))[0] == 422
        assert failure(http.post("/api/transform", content=b" " * 101)) == (413, "the body is over 100 bytes")


def test_a_cut_trace_says_so(serve: Serve) -> None:
    with serve(limits=JaegerLimits(max_trace_spans=3)) as http:
        (trace,) = data(http.get(f"/api/traces/{ID}"))
    warnings = [warning for span in trace["spans"] for warning in span["warnings"] or ()]
    assert len(trace["spans"]) == 3
    assert "trace has more than 3 spans, showing first 3 spans only" in warnings


def test_transfers_are_shown(serve: Serve) -> None:
    transfer = {"from_agent": "a", "to_agent": "b", "kind": "handoff", "time_unix_nano": T0}
    trigger = (bytes(15) + b"\1", b"batchjob")
    with serve(transfers={trigger: [transfer]}) as http:
        (trace,) = data(http.get("/api/traces/1"))
    assert trace["spans"][0]["logs"][0]["fields"][0]["value"] == "agent transfer"


def test_unknown_paths_under_api(http: httpx.Client) -> None:
    for method, path in (
        ("GET", "/api/nothing"),
        ("GET", "/api/quality-metrics"),
        ("GET", "/api/deep-dependencies?service=shop"),
        ("GET", "/api/traces/a/b"),
        ("GET", "/api/traces/"),
        ("POST", "/api/services"),
        ("DELETE", "/api/traces/1"),
        ("GET", "/api/v3/dependencies"),
    ):
        response = http.request(method, path)
        assert (response.status_code, response.text) == (404, "404 page not found\n"), path
        assert response.headers["content-type"] == "text/plain; charset=utf-8"


def test_under_a_base_path(serve: Serve) -> None:
    with serve(base_path="/obs/jaeger") as http:
        assert data(http.get("/obs/jaeger/api/services"))
        assert ids(http.get(f"/obs/jaeger/api/traces/{ID}")) == [ID]
        assert http.get("/obs/jaeger/api/nothing").text == "404 page not found\n"
