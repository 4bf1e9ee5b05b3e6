"""Jaeger's v1 API as a whole: headers, HEAD, printing, paths nobody serves; archive and dependencies."""

import re

import httpx

from tests.component.jaeger_http.conftest import T0, Serve
from tests.component.jaeger_http.v1_answers import ID, data, failure, ids


def test_every_answer_names_its_trace(http: httpx.Client) -> None:
    for path in ("/api/services", "/api/traces/xyz", "/api/nothing", "/", "/api/v3/services"):
        assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-00", http.get(path).headers["traceresponse"])


def test_pretty_print(http: httpx.Client) -> None:
    plain, pretty = http.get(f"/api/traces/{ID}"), http.get(f"/api/traces/{ID}?prettyPrint=true")
    assert pretty.json() == plain.json()
    assert '\n    "data": [' in pretty.text
    assert "\n" not in http.get(f"/api/traces/{ID}?prettyPrint=false").text


def test_head_is_answered_as_get_without_a_body(http: httpx.Client) -> None:
    response = http.head("/api/services")
    assert (response.status_code, response.content) == (200, b"")


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
