"""Trace search and trace by id over HTTP."""

import httpx
import pytest
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from storage.api import Storage
from storage.errors import StorageRejected
from storage.queries import Condition, Op, TimeRange, TraceQuery
from tests.component.query.shop import BROWSE, CHECKOUT, MS, ORPHANED, T0


def found(http: httpx.Client, **parameters: object) -> list[str]:
    answer = http.get("/api/v1/traces", params=parameters)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    return [row["trace_id"] for row in answer.json()["traces"]]


def test_rows_say_what_a_trace_is(http: httpx.Client) -> None:
    answer = http.get("/api/v1/traces").json()

    assert [row["trace_id"] for row in answer["traces"]] == [ORPHANED.hex(), BROWSE.hex(), CHECKOUT.hex()]
    assert answer["next_cursor"] is None
    assert answer["traces"][2] == {
        "trace_id": CHECKOUT.hex(),
        "root_service": "shop",
        "root_name": "GET /checkout",
        "start_time": "2027-01-15T08:00:00.000000000Z",
        "start_time_unix_nano": T0,
        "duration_ns": 50 * MS,
        "span_count": 3,
        "error_count": 1,
        "services": ["cart/eu", "shop"],
        "newest_match_time": "2027-01-15T08:00:00.007000000Z",
        "newest_match_unix_nano": T0 + 7 * MS,
    }
    assert (answer["traces"][0]["root_service"], answer["traces"][0]["root_name"]) == (None, None)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"service": "shop"}, [BROWSE, CHECKOUT]),
        ({"service": "cart/eu"}, [ORPHANED, CHECKOUT]),
        ({"service": "nobody"}, []),
        ({"name": "GET /cart", "status": "error"}, [CHECKOUT]),
        ({"kind": "client"}, [CHECKOUT]),
        ({"kind": "2", "service": "shop"}, [BROWSE, CHECKOUT]),
        ({"attr": "http.route=/browse"}, [BROWSE]),
        ({"attr": ["http.status_code>=500", "error.type"]}, [CHECKOUT]),
        ({"attr": ["http.route=/checkout", "error.type=Stock"]}, []),
        ({"attr": "resource.host.name=shop-1"}, [BROWSE, CHECKOUT]),
        ({"where": 'http.status_code >= 500 AND (http.route contains "cart" OR exists(nope))'}, [CHECKOUT]),
        ({"where": "http.status_code = 200 OR event.exception.type = Stock"}, [BROWSE, CHECKOUT]),
        ({"where": "span:duration < 2ms"}, [ORPHANED]),
        ({"where": "span:id = 6 OR event:time_since_start > 900us"}, [ORPHANED, CHECKOUT]),
        ({"where": "exists(link:trace_id) OR event:time_since_start > 1ms"}, []),
        ({"where": "NOT exists(http.route) AND span:kind = server"}, [ORPHANED]),
        ({"min_duration": "50ms"}, [CHECKOUT]),
        ({"max_duration": "1500us"}, [ORPHANED]),
        ({"start": str(T0 + 1000 * MS)}, [ORPHANED, BROWSE]),
        ({"end": "2027-01-15T08:00:01Z"}, [CHECKOUT]),
        ({"start": "1800000001s", "end": "1800000002000"}, [BROWSE]),
        ({"start": "-1h", "end": "now"}, []),
    ],
)
def test_conditions(http: httpx.Client, parameters: dict[str, object], expected: list[bytes]) -> None:
    assert found(http, **parameters) == [each.hex() for each in expected]


def test_pages_follow_one_another(http: httpx.Client) -> None:
    seen, cursor = [], None
    for _ in range(4):
        parameters = {"limit": "1"} | ({"cursor": cursor} if cursor else {})
        page = http.get("/api/v1/traces", params=parameters).json()
        seen += [row["trace_id"] for row in page["traces"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [ORPHANED.hex(), BROWSE.hex(), CHECKOUT.hex()]


@pytest.mark.parametrize(
    ("parameters", "parameter", "kind"),
    [
        ("kind=boss", "kind", "bad-parameter"),
        ("status=broken", "status", "bad-parameter"),
        ("min_duration=20", "min_duration", "bad-parameter"),
        ("min_duration=2s&max_duration=1s", "max_duration", "bad-parameter"),
        ("start=yesterday", "start", "bad-parameter"),
        ("start=2027-01-01&end=2026-01-01", "start", "bad-parameter"),
        ("limit=0", "limit", "bad-parameter"),
        ("limit=ten", "limit", "bad-parameter"),
        ("limit=1001", "limit", "bad-parameter"),
        ("cursor=abc", "cursor", "bad-parameter"),
        ("attr=", "attr", "bad-parameter"),
        ("where=a", "where", "bad-parameter"),
        ("where=http.route matches '['", "where", "bad-parameter"),
        ("sevice=x", "sevice", "unknown-parameter"),
        ("service=a&service=b", "service", "bad-parameter"),
    ],
)
def test_problems_name_the_parameter(http: httpx.Client, parameters: str, parameter: str | None, kind: str) -> None:
    answer = http.get(f"/api/v1/traces?{parameters}")
    problem = answer.json()

    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert (problem["type"], problem["status"]) == (f"urn:baton:problem:{kind}", 400)
    assert problem.get("parameter") == parameter
    assert problem["title"]
    assert problem["detail"]


def test_problems_point_at_the_position_and_the_limit(http: httpx.Client) -> None:
    where = http.get("/api/v1/traces", params={"where": "a = 1 AND b"}).json()
    assert (where["position"], where["parameter"]) == (11, "where")
    assert http.get("/api/v1/traces?limit=5000").json()["limit"] == 1000
    assert "did you mean service?" in http.get("/api/v1/traces?sevice=x").json()["detail"]


def test_trace_as_otlp_json(http: httpx.Client) -> None:
    for written in ("a1", "A1", CHECKOUT.hex(), CHECKOUT.hex().upper()):
        answer = http.get(f"/api/v1/traces/{written}")
        assert answer.status_code == 200
        spans = [
            span
            for resource in answer.json()["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]
        assert sorted(span["name"] for span in spans) == ["GET /cart", "GET /checkout", "call cart"]
        assert {span["traceId"] for span in spans} == {CHECKOUT.hex()}


def test_trace_as_protobuf(http: httpx.Client) -> None:
    answer = http.get("/api/v1/traces/a1", headers={"Accept": "application/x-protobuf"})
    assert answer.headers["content-type"] == "application/x-protobuf"
    assert len(MessageToDict(TracesData.FromString(answer.content))["resourceSpans"]) == 2


def test_trace_as_jaeger_json(http: httpx.Client) -> None:
    answer = http.get("/api/v1/traces/a1?format=jaeger").json()
    assert (answer["total"], answer["limit"], answer["offset"], answer["errors"]) == (0, 0, 0, None)
    (trace,) = answer["data"]
    assert trace["traceID"] == "00000000000000a1"
    assert sorted(span["operationName"] for span in trace["spans"]) == ["GET /cart", "GET /checkout", "call cart"]


@pytest.mark.parametrize(
    ("trace_id", "status"), [("ff", 404), ("xyz", 400), ("0" * 33, 400), ("%20", 400), ("a1%0a", 400)]
)
def test_bad_and_unknown_ids(http: httpx.Client, trace_id: str, status: int) -> None:
    answer = http.get(f"/api/v1/traces/{trace_id}")
    assert (answer.status_code, answer.json()["parameter"]) == (status, "trace_id")
    assert answer.headers["content-type"] == "application/problem+json"


def test_overview(http: httpx.Client) -> None:
    empty = http.get("/api/v1/traces/stats/overview?last_hours=1").json()
    assert (empty["trace_count"], empty["span_count"], empty["services"]) == (0, 0, [])
    assert empty["storage"]["bytes_on_disk"] > 0
    assert empty["storage"]["engine"]
    problem = http.get("/api/v1/traces/stats/overview?last_hours=-1").json()
    assert problem["parameter"] == "last_hours"


def test_a_failed_query_does_not_spoil_the_next(http: httpx.Client, storage: Storage) -> None:
    broken = TraceQuery(TimeRange(0, 2**63), filter=Condition("http.route", Op.REGEX, "["))
    for _ in range(3):
        with pytest.raises(StorageRejected):
            storage.find_traces(broken)
        assert len(http.get("/api/v1/traces/a1").json()["resourceSpans"]) == 2
