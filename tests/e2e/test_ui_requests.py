"""The requests that the Jaeger UI sends, as recorded from its pages in a browser, and what it needs from the answers.

Recorded from UI 2.18.0 and, for the v3 search, UI 2.19.0. No UI build is needed: `make test-ui` opens one.
"""

import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from collector.bench.api import Api
from collector.bench.server import ServerProcess
from collector.demo.run import Sent, send

HOUR_MS = 3_600_000
SERVICE = "agent-orchestrator"
MONITOR = {"lookback": HOUR_MS, "quantile": 0.95, "ratePer": 600_000, "spanKind": "server", "step": 60_000}


class Ui:
    """Asks as the UI does, over one connection."""

    def __init__(self, server: ServerProcess, sent: Sent) -> None:
        self.query = server.endpoints.query
        self.api = Api(self.query)
        self.now_ms = time.time_ns() // 1_000_000 + 1
        self.traces = [told.trace_id for told in sent.told]
        self.spans = sent.spans

    def get(self, path: str, **parameters: object) -> Any:
        query = urlencode(parameters, doseq=True, quote_via=quote)
        return self.api.json(f"{path}?{query}" if query else path)

    def v1(self, path: str, **parameters: object) -> list[Any]:
        body = self.get(path, **parameters)
        assert (body["errors"], type(body["data"])) == (None, list)
        found: list[Any] = body["data"]
        return found

    def monitor(self, figure: str, **parameters: object) -> dict[str, Any]:
        asked = {"service": SERVICE, "endTs": self.now_ms, **MONITOR, **parameters}
        family: dict[str, Any] = self.get(f"/api/metrics/{figure}", **asked)
        return family


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    with ServerProcess(tmp_path_factory.mktemp("ui")) as server:
        sent = send(server.endpoints.otlp_grpc, conversations=6, seed=3)
        asking = Ui(server, sent)
        deadline = time.monotonic() + 20
        while asking.get("/api/v1/ledger")["traces"]["stored"] < sent.spans:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield asking
        asking.api.close()


def check_trace(trace: dict[str, Any]) -> None:
    """Check what the timeline, the graph, the statistics and the critical path are computed from."""
    spans = {span["spanID"]: span for span in trace["spans"]}
    assert len(spans) == len(trace["spans"])
    for span in trace["spans"]:
        assert span["traceID"] == trace["traceID"]
        assert trace["processes"][span["processID"]]["serviceName"]
        assert (type(span["startTime"]), type(span["duration"])) == (int, int)
        tags = [(tag["key"], str(tag["value"])) for tag in span["tags"]]
        assert len(set(tags)) == len(tags), "the UI warns of duplicate tags"
        assert all(set(tag) == {"key", "type", "value"} for tag in span["tags"])
        assert all(type(log["timestamp"]) is int and log["fields"] for log in span["logs"])
        for reference in span["references"]:
            assert (reference["refType"], reference["traceID"]) == ("CHILD_OF", trace["traceID"])
            assert reference["spanID"] in spans
    assert sum(not span["references"] for span in trace["spans"]) == 1


def test_services_and_operations_of_the_search_form(ui: Ui) -> None:
    assert {SERVICE, "web-frontend"} <= set(ui.get("/api/v3/services")["services"])
    operations = ui.get("/api/v3/operations", service=SERVICE)["operations"]
    assert {"name": "POST /converse", "spanKind": "server"} in operations
    assert all(set(operation) == {"name", "spanKind"} for operation in operations)


def test_the_first_search_has_a_lookback_and_no_range(ui: Ui) -> None:
    found = ui.v1("/api/traces", limit=20, lookback="1h", service="web-frontend")
    assert {trace["traceID"] for trace in found} <= set(ui.traces)
    assert found
    for trace in found:
        check_trace(trace)


def test_find_traces_sends_empty_durations_and_tags_as_json(ui: Ui) -> None:
    end = ui.now_ms * 1000
    path = (
        f"/api/traces?end={end}&limit=20&lookback=1h&maxDuration&minDuration&service={SERVICE}"
        f"&start={end - HOUR_MS * 1000}&tags=%7B%22error%22%3A%22true%22%7D"
    )
    found = ui.v1(path)
    assert found
    for trace in found:
        assert any(tag == {"key": "error", "type": "bool", "value": True} for s in trace["spans"] for tag in s["tags"])


def test_find_traces_by_operation_and_duration(ui: Ui) -> None:
    asked = {"limit": 20, "lookback": "1h", "operation": "POST /converse", "service": SERVICE}
    found = ui.v1("/api/traces", **asked, minDuration="1ms", maxDuration="1h")
    assert {trace["traceID"] for trace in found} <= set(ui.traces)
    assert found
    assert ui.v1("/api/traces", **asked, minDuration="1h") == []


def test_the_search_of_later_uis_takes_summaries(ui: Ui) -> None:
    def iso(milliseconds: int) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(milliseconds // 1000)) + f".{milliseconds % 1000:03}Z"

    query = {"serviceName": SERVICE, "startTimeMin": iso(ui.now_ms - HOUR_MS), "startTimeMax": iso(ui.now_ms)}
    asked = {
        f"query.{name}": value for name, value in {**query, "searchDepth": 20, "attributes": '{"error":"true"}'}.items()
    }
    found = ui.get("/api/v3/trace-summaries", **asked)["summaries"]
    assert {summary["traceId"] for summary in found} <= set(ui.traces)
    assert found
    for summary in found:
        start, end = (summary[f"{edge}UnixNano"] for edge in ("minStartTime", "maxEndTime"))
        assert (type(start), type(end)) == (str, str)
        assert 0 < int(start) < int(end)
        assert summary["errorSpanCount"] > 0
        assert summary["spanCount"] == sum(service["spanCount"] for service in summary["services"])
        assert (summary["rootServiceName"], summary["rootOperationName"]) == ("web-frontend", "POST /chat")


def test_a_trace_page_asks_once(ui: Ui) -> None:
    spans = 0
    for trace_id in ui.traces:
        (trace,) = ui.v1(f"/api/traces/{trace_id}")
        check_trace(trace)
        spans += len(trace["spans"])
    assert spans == ui.spans


def test_both_json_links_of_a_trace_page(ui: Ui) -> None:
    adjusted = ui.v1(f"/api/traces/{ui.traces[0]}", prettyPrint="true")
    raw = ui.v1(f"/api/traces/{ui.traces[0]}", raw="true", prettyPrint="true")
    assert len(adjusted[0]["spans"]) == len(raw[0]["spans"])


def test_a_comparison_asks_for_two_traces_at_once(ui: Ui) -> None:
    found = ui.v1("/api/traces", traceID=ui.traces[:2])
    assert sorted(trace["traceID"] for trace in found) == sorted(ui.traces[:2])


@pytest.mark.parametrize(
    ("trace_id", "code", "message"),
    [("0" * 29 + "abc", 404, "trace not found"), ("xyz", 400, "invalid length for TraceID")],
)
def test_what_the_error_page_shows(ui: Ui, trace_id: str, code: int, message: str) -> None:
    status, body = ui.api.get(f"/api/traces/{trace_id}")
    assert status == code
    assert json.loads(body)["errors"] == [{"code": code, "msg": message}]


def test_system_architecture(ui: Ui) -> None:
    edges = ui.v1("/api/dependencies", endTs=ui.now_ms, lookback=168 * HOUR_MS)
    assert ("web-frontend", "api-gateway") in {(edge["parent"], edge["child"]) for edge in edges}
    assert all(type(edge["callCount"]) is int and edge["callCount"] > 0 for edge in edges)


@pytest.mark.parametrize(
    ("figure", "name"),
    [("latencies", "latencies"), ("calls", "call_rate"), ("errors", "error_rate")],
)
def test_monitor(ui: Ui, figure: str, name: str) -> None:
    for quantile in (0.5, 0.75, 0.95):
        whole = ui.monitor(figure, quantile=quantile)
        assert whole["name"] == f"service_{name}"
        assert whole["metrics"][0]["labels"] == [{"name": "service_name", "value": SERVICE}]
        check_points(whole)

    by_operation = ui.monitor(figure, groupByOperation="true")
    assert by_operation["name"] == f"service_operation_{name}"
    labels = {label["name"]: label["value"] for label in by_operation["metrics"][0]["labels"]}
    assert labels == {"service_name": SERVICE, "operation": "POST /converse"}
    check_points(by_operation)


def check_points(family: dict[str, Any]) -> None:
    for metric in family["metrics"]:
        assert metric["metricPoints"]
        for point in metric["metricPoints"]:
            assert type(point["gaugeValue"]["doubleValue"]) is float
            assert point["timestamp"].endswith("Z")


def test_a_service_without_calls_is_an_empty_monitor(ui: Ui) -> None:
    assert ui.monitor("calls", service="nobody")["metrics"] == []


def test_an_uploaded_file(ui: Ui) -> None:
    file = Path(__file__).parents[1] / "data" / "jaeger" / "checkout.otlp.json"
    request = urllib.request.Request(f"http://{ui.query}/api/transform", file.read_bytes(), method="POST")
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert json.loads(answer.read())["data"][0]["spans"]
