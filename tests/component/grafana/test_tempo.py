"""The Tempo data source: what Grafana asks, and what curl users ask."""

import base64

import httpx
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from collector.query.tempo import router
from exporters.tempo.generated.tempo_pb2 import COMPLETE, TraceByIDResponse
from tests.component.query.shop import BROWSE, CHECKOUT, ORPHANED, T0

PROTOBUF = {"Accept": "application/protobuf"}
NAMES = {CHECKOUT.hex(): "checkout", BROWSE.hex(): "browse", ORPHANED.hex(): "orphaned"}


def search(http: httpx.Client, query: str, **parameters: object) -> list[str]:
    answer = http.get("/tempo/api/search", params={"q": query, **parameters})
    assert answer.status_code == 200, answer.text
    return [NAMES[trace["traceID"]] for trace in answer.json()["traces"]]


def test_probes(http: httpx.Client) -> None:
    assert http.get("/tempo/api/echo").text == "echo"
    assert http.get("/tempo/api/status/buildinfo").json()["version"].startswith("2.")


def test_trace_by_id_as_grafana_asks(http: httpx.Client) -> None:
    answer = http.get(f"/tempo/api/v2/traces/{CHECKOUT.hex()}", headers=PROTOBUF, params={"start": 1, "end": 2})
    assert answer.headers["content-type"] == "application/protobuf"
    trace = TraceByIDResponse.FromString(answer.content)
    assert trace.status == COMPLETE
    assert sum(len(s.spans) for r in trace.trace.resourceSpans for s in r.scope_spans) == 3
    older = http.get(f"/tempo/api/traces/{CHECKOUT.hex()}", headers=PROTOBUF)
    assert list(TracesData.FromString(older.content).resource_spans) == list(trace.trace.resourceSpans)


def test_trace_by_id_in_json(http: httpx.Client) -> None:
    newer = http.get("/tempo/api/v2/traces/a1").json()
    (span, *_) = newer["trace"]["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert base64.b64decode(span["traceId"]) == CHECKOUT
    assert http.get("/tempo/api/traces/a1").json()["batches"] == newer["trace"]["resourceSpans"]


@pytest.mark.parametrize("path", ["/tempo/api/v2/traces/a1", "/tempo/api/traces/a1"])
def test_traces_too_large_for_json(http: httpx.Client, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setattr(router, "MAX_JSON_SPANS", 2)
    answer = http.get(path)
    assert (answer.status_code, answer.text) == (
        422,
        "3 spans are too many for JSON; send Accept: application/protobuf",
    )
    assert http.get(path, headers=PROTOBUF).status_code == 200


@pytest.mark.parametrize("path", ["/tempo/api/v2/traces/99", "/tempo/api/traces/99"])
def test_unknown_traces(http: httpx.Client, path: str) -> None:
    answer = http.get(path, headers=PROTOBUF)
    assert (answer.status_code, answer.text) == (404, "trace not found")
    assert http.get(path.replace("99", "xyz")).status_code == 400


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("{}", ["orphaned", "browse", "checkout"]),
        ("{ }", ["orphaned", "browse", "checkout"]),
        ('{resource.service.name="shop"}', ["browse", "checkout"]),
        ('{resource.service.name="shop" && name="GET /browse" && duration>1ms && status=unset}', ["browse"]),
        ('{resource.service.name=~"cart.*|x"}', ["orphaned", "checkout"]),
        ('{resource.service.name=~"cart"}', []),  # whole texts
        ('{resource.service.name!="shop"}', ["orphaned", "checkout"]),
        ("{status=error}", ["checkout"]),
        ("{kind=client}", ["checkout"]),
        ("{duration>=50ms}", ["checkout"]),
        ("{duration<2ms}", ["orphaned"]),
        ('{.http.route="/cart"}', ["checkout"]),
        ("{span.http.status_code>=500}", ["checkout"]),
        ("{span.http.status_code!=500}", ["browse"]),
        ('{.host.name="shop-1" || .error.type="Stock"}', ["browse", "checkout"]),
        ('{span.host.name="shop-1"}', []),
        ('{event.exception.type="Stock"}', ["checkout"]),
        ('{event:name="exception"}', ["checkout"]),
        ('{instrumentation:name="app" && !(status=error) && kind=server}', ["orphaned", "browse", "checkout"]),
        ("{.http.route = nil && kind=server}", ["orphaned"]),
        ("{.error.type != nil}", ["checkout"]),
        ('{rootName="GET /checkout"}', ["checkout"]),
        ('{rootServiceName="shop" && status=error}', ["checkout"]),
        ('{rootServiceName="shop" && name=~"GET /b.*"}', ["browse"]),
        ("{traceDuration>20ms}", ["checkout"]),
        ('{rootName="" && duration>0ms}', ["orphaned"]),
        (f'{{trace:id="{BROWSE.hex()}"}}', ["browse"]),
        ("{nestedSetParent<0}", ["browse", "checkout"]),
        ('{span:name="GET /cart"} | select(.http.route, status)', ["orphaned", "checkout"]),
        ("{true} with (most_recent=true)", ["orphaned", "browse", "checkout"]),
        ("{false}", []),
        ('// browse\n{ name = "GET /browse" /* or "// this" */ } // end', ["browse"]),
        ('{ name = "// no comment" }', []),
    ],
)
def test_traceql(http: httpx.Client, query: str, expected: list[str]) -> None:
    assert search(http, query) == expected


def test_limits_and_times(http: httpx.Client) -> None:
    second = T0 // 10**9
    assert search(http, "{}", limit=1) == ["orphaned"]
    assert search(http, "{}", start=second + 1, end=second + 2) == ["browse"]
    assert search(http, "{}", start=second - 10, end=second + 1) == ["checkout"]


def test_what_a_found_trace_says(http: httpx.Client) -> None:
    query = "{.http.status_code = 500} | select(resource.service.name)"
    (trace,) = http.get("/tempo/api/search", params={"q": query, "spss": 1}).json()["traces"]
    assert trace["rootServiceName"] == "shop"
    assert trace["rootTraceName"] == "GET /checkout"
    assert trace["startTimeUnixNano"] == str(T0)
    assert trace["durationMs"] == 50
    assert trace["serviceStats"] == {"cart/eu": {"spanCount": 1, "errorCount": 1}, "shop": {"spanCount": 2}}
    assert trace["spanSets"] == [trace["spanSet"]]
    assert trace["spanSet"]["matched"] == 2
    assert trace["spanSet"]["spans"] == [
        {
            "spanID": "0000000000000001",
            "name": "GET /checkout",
            "startTimeUnixNano": str(T0),
            "durationNanos": "50000000",
            "attributes": [
                {"key": "http.status_code", "value": {"intValue": "500"}},
                {"key": "service.name", "value": {"stringValue": "shop"}},
            ],
        }
    ]


def test_a_trace_without_root_says_so(http: httpx.Client) -> None:
    (trace,) = http.get("/tempo/api/search", params={"q": "{duration<2ms}"}).json()["traces"]
    assert trace["rootServiceName"] == "<root span not yet received>"


def test_older_search(http: httpx.Client) -> None:
    def legacy(**parameters: str) -> list[str]:
        answer = http.get("/tempo/api/search", params=parameters).json()
        return [NAMES[trace["traceID"]] for trace in answer["traces"]]

    assert legacy(tags='service.name="cart/eu" http.route=/cart') == ["checkout"]
    assert legacy(tags='name="GET /browse"') == ["browse"]
    assert legacy(tags="error=true") == ["checkout"]
    assert legacy(minDuration="20ms") == ["checkout"]
    assert legacy(maxDuration="20ms") == ["orphaned", "browse"]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"q": "{name=}"}, "invalid q at position 6: expected a value"),
        ({"q": '{name="x"} | count() > 2'}, "invalid q at position 13: only select(…) is supported behind |"),
        ({"q": '{name="x"} >> {name="y"}'}, "invalid q at position 11: only one span set is supported"),
        ({"q": "{status=bad}"}, "invalid q at position 8: expected one of unset, ok, error"),
        ({"q": '{.a="x" || rootName="b"}'}, "invalid q at position 8"),
        ({"q": '{!(.a="x" && rootName="b")}'}, "invalid q at position 1"),
        ({"q": "{.a=~`(`}"}, "invalid q at position 5: not a regular expression"),
        ({"q": "{.a=~`\\Qabc`}"}, "invalid q at position 5: not a regular expression"),
        ({"q": "{}", "limit": "0"}, "invalid limit"),
        ({"q": "{}", "limit": "9" * 5000}, "invalid limit"),
        ({"q": '{traceDuration > "²"}'}, "invalid q at position 17: expected a duration"),
        ({"q": f"{{traceDuration > {'9' * 5000}}}"}, "invalid q at position 17: expected a whole number"),
        ({"q": f"{{event:timeSinceStart > {'9' * 400}}}"}, "invalid q at position 24: expected a whole number"),
        ({"q": "{}", "start": "5", "end": "5"}, "start must be before end"),
        ({"tags": "x"}, "invalid tags at position 0"),
        ({"minDuration": "5"}, "invalid minDuration"),
    ],
)
def test_mistakes_name_the_place(http: httpx.Client, parameters: dict[str, str], message: str) -> None:
    answer = http.get("/tempo/api/search", params=parameters)
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/plain")
    assert message in answer.text


def test_tags(http: httpx.Client) -> None:
    scopes = {each["name"]: each["tags"] for each in http.get("/tempo/api/v2/search/tags").json()["scopes"]}
    assert scopes["resource"] == ["host.name", "service.name"]
    assert scopes["span"] == ["error.type", "http.route", "http.status_code"]
    assert scopes["event"] == ["exception.type"]
    assert {"name", "status", "kind", "rootName", "duration"} <= set(scopes["intrinsic"])
    only = http.get("/tempo/api/v2/search/tags", params={"scope": "span", "limit": 5000}).json()["scopes"]
    assert [each["name"] for each in only] == ["span"]
    assert "http.route" in http.get("/tempo/api/search/tags").json()["tagNames"]
    assert http.get("/tempo/api/v2/search/tags", params={"scope": "x"}).status_code == 400


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("resource.service.name", [("string", "cart/eu"), ("string", "shop")]),
        ("span.http.status_code", [("int", "500"), ("int", "200")]),
        (".http.route", [("string", "/browse"), ("string", "/cart"), ("string", "/checkout")]),
        ("status", [("keyword", "unset"), ("keyword", "ok"), ("keyword", "error")]),
        ("rootServiceName", [("string", "cart/eu"), ("string", "shop")]),
        ("duration", []),
    ],
)
def test_tag_values(http: httpx.Client, tag: str, expected: list[tuple[str, str]]) -> None:
    encoded = tag.replace(".", "%252E").replace("/", "%252F")  # as Grafana does: encoded twice
    values = http.get(f"/tempo/api/v2/search/tag/{encoded}/values", params={"limit": 5000}).json()["tagValues"]
    assert sorted((each["type"], each["value"]) for each in values) == sorted(expected)


def test_span_names_of_a_service(http: httpx.Client) -> None:
    path = "/tempo/api/v2/search/tag/name/values"
    values = http.get(path, params={"q": '{resource.service.name="cart/eu"}'}).json()["tagValues"]
    assert values == [{"type": "string", "value": "GET /cart"}]
    assert len(http.get(path).json()["tagValues"]) == 4
    assert http.get("/tempo/api/search/tag/http.status_code/values").json()["tagValues"] == ["500", "200"]
    assert http.get("/tempo/api/v2/search/tag/nothing/values").status_code == 400
