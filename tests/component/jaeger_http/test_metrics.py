"""The Monitor tab's requests over HTTP."""

from typing import Any

import httpx
import pytest

from collector.query.jaeger.service import JaegerLimits
from tests.component.jaeger_http.conftest import T0, Serve
from tests.component.jaeger_http.v1_answers import failure

END = T0 // 10**6 + 240_000
QUERY = f"service=batch/jobs&endTs={END}&lookback=240000&step=60000&ratePer=600000&spanKind=server"


def values(family: Any) -> list[float]:
    (metric,) = family["metrics"]
    return [point["gaugeValue"]["doubleValue"] for point in metric["metricPoints"]]


def test_calls_errors_latencies(http: httpx.Client) -> None:
    calls = http.get(f"/api/metrics/calls?{QUERY}").json()
    assert (calls["name"], calls["type"]) == ("service_call_rate", "GAUGE")
    assert values(calls)[-1] == pytest.approx(3 / 600)
    assert values(http.get(f"/api/metrics/errors?{QUERY}").json())[-1] == pytest.approx(1 / 3)
    latencies = http.get(f"/api/metrics/latencies?{QUERY}&quantile=0.95").json()
    assert latencies["help"] == "0.95th quantile latency, grouped by service"
    assert values(latencies)[-1] == pytest.approx(3, rel=0.03)


def test_by_operation(http: httpx.Client) -> None:
    family = http.get(f"/api/metrics/latencies?{QUERY}&quantile=0.5&groupByOperation=true").json()
    assert family["name"] == "service_operation_latencies"
    assert family["metrics"][0]["labels"] == [
        {"name": "service_name", "value": "batch/jobs"},
        {"name": "operation", "value": "run"},
    ]


def test_points_of_all_series_are_bounded(serve: Serve) -> None:
    query = f"{QUERY}&service=shop&service=payments&groupByOperation=true"
    with serve(limits=JaegerLimits(max_metric_points=10)) as http:
        assert http.get(f"/api/metrics/calls?{QUERY}&groupByOperation=true").status_code == 200
        status, message = failure(http.get(f"/api/metrics/calls?{query}"))
    assert status == 422
    assert message.endswith("series are over 10 points; ask for a shorter lookback or a longer step")


def test_nothing_found(http: httpx.Client) -> None:
    assert http.get("/api/metrics/calls?service=nobody").json()["metrics"] == []


def test_min_step(http: httpx.Client) -> None:
    assert http.get("/api/metrics/minstep").json()["data"] == 1


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("calls", "unable to parse param 'service': please provide at least one service name"),
        (f"latencies?{QUERY}", "unable to parse param 'quantile': strconv.ParseFloat: parsing \"\": invalid syntax"),
        ("calls?service=a&spanKind=x", "unable to parse param 'spanKind': unsupported span kind: 'x'"),
        ("calls?service=a&step=1m", "unable to parse param 'step': strconv.ParseInt: parsing \"1m\": invalid syntax"),
        ("calls?service=a&step=0", "unable to parse param 'step': it must be positive"),
        ("calls?service=a&step=1", "unable to parse param 'step': more than 11000 points; make it longer"),
        (
            "calls?service=a&step=60000&lookback=604800000&ratePer=1",
            "unable to parse param 'ratePer': too short for this lookback; make it longer",
        ),
        (
            "calls?service=a&groupByOperation=x",
            "unable to parse param 'groupByOperation': strconv.ParseBool: parsing \"x\": invalid syntax",
        ),
    ],
)
def test_parameters_that_cannot_be_read(http: httpx.Client, path: str, message: str) -> None:
    response = http.get(f"/api/metrics/{path}")
    assert response.status_code == 400
    assert response.json()["errors"] == [{"code": 400, "msg": message}]


def test_absurd_times_are_answered(http: httpx.Client) -> None:
    assert http.get(f"/api/metrics/calls?service=a&endTs={2**62}").json()["metrics"] == []
    assert http.get("/api/metrics/calls?service=a&endTs=-5").json()["metrics"] == []
