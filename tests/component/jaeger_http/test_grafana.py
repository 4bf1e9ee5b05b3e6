"""The requests of Grafana's Jaeger data source, as its backend writes them, and what it reads of the answers.

Source: grafana-jaeger-datasource 13.0.1 `pkg/jaeger/client.go`, `grpc_client.go` (which is HTTP, too).
"""

from urllib.parse import quote

import httpx

from tests.component.jaeger_http.conftest import T0

CHECKOUT = "0000000000000000a1b2c3d4e5f60718"
MICROSECONDS = {"start": T0 // 1000 - 60_000_000, "end": T0 // 1000 + 600_000_000}
MILLISECONDS = {"start": T0 // 10**6 - 60_000, "end": T0 // 10**6 + 600_000}


def test_names(http: httpx.Client) -> None:
    assert "shop" in http.get("/api/services").json()["data"]
    # Its JoinPath decodes the name, and a slash in it becomes one of the path.
    assert http.get("/api/services/batch/jobs/operations").json()["data"] == ["run"]
    assert http.get("/api/v3/services").json()["services"][0] == "batch/jobs"
    assert http.get("/api/v3/operations", params={"service": "batch/jobs"}).json()["operations"][0]["name"] == "run"


def test_search(http: httpx.Client) -> None:
    form = {"service": "batch/jobs", "operation": "run", "tags": '{"job":"2"}', "minDuration": "1ms", "limit": 20}
    (trace,) = http.get("/api/traces", params={**form, "maxDuration": "1.5s", **MICROSECONDS}).json()["data"]
    assert trace["spans"]  # it takes the first one without looking
    nothing = http.get("/api/traces", params={"service": "nobody", **MICROSECONDS})
    assert (nothing.status_code, nothing.json()["data"]) == (200, [])


def test_a_trace_by_its_id_with_times_in_milliseconds(http: httpx.Client) -> None:
    # Jaeger documents microseconds; the times must not hide the trace.
    (trace,) = http.get(f"/api/traces/{CHECKOUT}", params=MILLISECONDS).json()["data"]
    assert {span["processID"] for span in trace["spans"]} <= set(trace["processes"])
    assert http.get("/api/traces/" + "c" * 32, params=MILLISECONDS).status_code == 404


def test_a_trace_from_v3_with_times_that_are_not_encoded(http: httpx.Client) -> None:
    times = "start_time=2025-11-21T00:00:00+02:00&end_time=2025-11-22T00:00:00.123456789+02:00"
    answer = http.get(f"/api/v3/traces/{quote(CHECKOUT)}?{times}")
    (span, *_) = answer.json()["result"]["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert (type(span["kind"]), type(span["startTimeUnixNano"])) == (int, str)


def test_dependencies(http: httpx.Client) -> None:
    end = T0 // 10**6 + 3_600_000
    answer = http.get("/api/dependencies", params={"endTs": end, "lookback": 7_200_000}).json()
    assert not answer["errors"]
    assert all(set(link) >= {"parent", "child", "callCount"} for link in answer["data"])
    assert answer["data"]
