"""Log search over HTTP, in its three forms."""

import httpx
import pytest

from tests.component.query.shop import CHECKOUT, MS, T0

BODIES = {
    "tick": None,
    "lines": "line one\nline two",
    "order": {"order": 7, "lines": ["a", "b"]},
    "stock": "out of stock",
    "opened": "Cart opened",
}


def found(http: httpx.Client, **parameters: object) -> list[object]:
    answer = http.get("/api/v1/logs", params=parameters)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    return [row["body"] for row in answer.json()["logs"]]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, ["tick", "lines", "order", "stock", "opened"]),
        ({"order": "oldest"}, ["opened", "stock", "order", "lines", "tick"]),
        ({"service": "cart/eu"}, ["order", "stock", "opened"]),
        ({"trace_id": "A1"}, ["order", "stock"]),
        ({"trace_id": "a1", "span_id": "3"}, ["stock"]),
        ({"severity": "warn"}, ["order", "stock"]),
        ({"severity": "17"}, ["stock"]),
        ({"text": "CART OPEN"}, ["opened"]),
        ({"attr": "int=7"}, ["stock"]),
        ({"attr": "resource.host.name=shop-1"}, ["tick", "lines"]),
        ({"where": "log:body contains stock OR log:event_name = tick"}, ["tick", "stock"]),
        ({"where": "log:severity >= warn AND NOT exists(int)"}, ["order"]),
        ({"start": str(T0 + 9 * MS), "end": str(T0 + 1000 * MS)}, ["order"]),
        ({"start": "-1h", "end": "now"}, []),
    ],
)
def test_conditions(http: httpx.Client, parameters: dict[str, object], expected: list[str]) -> None:
    assert found(http, **parameters) == [BODIES[name] for name in expected]


def test_rows_are_for_people(http: httpx.Client) -> None:
    (row,) = http.get("/api/v1/logs?severity=error").json()["logs"]

    assert row == {
        "time": "2027-01-15T08:00:00.008000000Z",
        "time_unix_nano": T0 + 8 * MS,
        "observed_time_unix_nano": T0 + 8 * MS + 1,
        "severity": "ERROR",
        "severity_number": 17,
        "severity_text": "ERR",
        "service": "cart/eu",
        "body": "out of stock",
        "attributes": {
            "text": "x",
            "int": 7,
            "double": 1.5,
            "bool": True,
            "bytes": "AAE=",
            "list": [1, "two"],
            "map": {"a": {"b": 2.0}},
            "empty": None,
            "nan": "NaN",
            "big": 2**63 - 1,
        },
        "resource": {"service.name": "cart/eu", "host.name": "cart/eu-1"},
        "scope": {"name": "", "version": "", "attributes": {}},
        "trace_id": CHECKOUT.hex(),
        "span_id": "0000000000000003",
        "event_name": None,
    }


def test_otlp_json(http: httpx.Client) -> None:
    answer = http.get("/api/v1/logs?format=otlp&limit=4")
    bodies = [
        record.get("body")
        for resource in answer.json()["resourceLogs"]
        for scope in resource["scopeLogs"]
        for record in scope["logRecords"]
    ]
    assert len(bodies) == 4
    assert {"stringValue": "out of stock"} in bodies
    rest = http.get("/api/v1/logs", params={"limit": 4, "cursor": answer.headers["next-cursor"]}).json()
    assert [row["body"] for row in rest["logs"]] == ["Cart opened"]


def test_text_is_a_line_a_record(http: httpx.Client) -> None:
    answer = http.get("/api/v1/logs?format=text&order=oldest&service=shop")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text.splitlines() == [
        "2027-01-15T08:00:01.000000000Z INFO  shop line one\\nline two",
        "2027-01-15T08:00:02.000000000Z -     shop tick",
    ]


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_pages_follow_one_another(http: httpx.Client, order: str) -> None:
    seen: list[object] = []
    parameters = {"limit": "2", "order": order}
    for _ in range(4):
        page = http.get("/api/v1/logs", params=parameters).json()
        seen += [row["body"] for row in page["logs"]]
        if page["next_cursor"] is None:
            break
        parameters["cursor"] = page["next_cursor"]
    expected = list(BODIES.values())
    assert seen == (expected if order == "newest" else expected[::-1])


@pytest.mark.parametrize(
    ("parameters", "parameter"),
    [
        ("trace_id=xyz", "trace_id"),
        ("span_id=" + "0" * 17, "span_id"),
        ("severity=loud", "severity"),
        ("severity=" + "9" * 5000, "severity"),
        ("attr=log:severity%3D" + "9" * 5000, "attr"),
        ("where=event:name=x", "where"),
        ("order=sideways", "order"),
        ("format=xml", "format"),
        ("limit=5001", "limit"),
        ("cursor=x", "cursor"),
        ("start=soon", "start"),
        ("level=warn", "level"),
    ],
)
def test_problems_name_the_parameter(http: httpx.Client, parameters: str, parameter: str) -> None:
    answer = http.get(f"/api/v1/logs?{parameters}")
    assert (answer.status_code, answer.json()["parameter"]) == (400, parameter)
