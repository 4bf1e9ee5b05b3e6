"""Answers of Jaeger's v1 API: the envelope around data, and the one around a failure."""

from typing import Any

import httpx

from tests.component.jaeger_http.conftest import T0

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
