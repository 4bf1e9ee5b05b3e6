"""The Loki data source: what Grafana asks."""

import json
import socket
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from storage.api import Batch, Storage
from storage.queries import Signal
from storage.schemas import AGENT_SPANS, SPANS
from tests.component.query.shop import CHECKOUT, MS, T0, any_value, logs_message
from tests.stored import table

API = "/loki/loki/api/v1"
CATEGORIZED = {"X-Loki-Response-Encoding-Flags": "categorize-labels"}
DAY = {"start": str(T0 - 10**9), "end": str(T0 + 10 * 10**9)}


def lines(http: httpx.Client, query: str, **parameters: str) -> list[str]:
    answer = http.get(f"{API}/query_range", params={"query": query, **DAY, **parameters})
    assert answer.status_code == 200, answer.text
    data = answer.json()["data"]
    assert data["resultType"] == "streams"
    values = [value for stream in data["result"] for value in stream["values"]]
    return [line for _, line in sorted(values, key=lambda value: int(value[0]))]


def matrix(http: httpx.Client, query: str, **parameters: str) -> dict[str, list[list[Any]]]:
    answer = http.get(f"{API}/query_range", params={"query": query, **DAY, **parameters})
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"]["resultType"] == "matrix"
    return {json.dumps(each["metric"], sort_keys=True): each["values"] for each in answer.json()["data"]["result"]}


def test_health(http: httpx.Client) -> None:
    answer = http.get(f"{API}/query", params={"query": "vector(1)+vector(1)", "time": "4000000000"}).json()
    assert answer["status"] == "success"
    assert answer["data"]["resultType"] == "vector"
    assert [each["value"][1] for each in answer["data"]["result"]] == ["2"]
    assert http.get(f"{API}/status/buildinfo").json()["data"]["version"]


OPENED, STOCK, ORDER, TWO = "Cart opened", "out of stock", '{"order":7,"lines":["a","b"]}', "line one\nline two"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("{}", [OPENED, STOCK, ORDER, TWO, "tick"]),
        ('{service_name="cart/eu"}', [OPENED, STOCK, ORDER]),
        ('{service_name=~"cart.*"}', [OPENED, STOCK, ORDER]),
        ('{service_name=~"cart"}', []),
        ('{service_name!="cart/eu"}', [TWO, "tick"]),
        ('{level="error"}', [STOCK]),
        ('{level=~"warn|error", service_name="cart/eu"}', [STOCK, ORDER]),
        ('{detected_level="unknown"}', ["tick"]),
        ('{host_name="shop-1"}', [TWO, "tick"]),
        ('{host_name!="shop-1"}', [OPENED, STOCK, ORDER]),
        ('{nowhere="x"}', []),
        ('{nowhere=""}', [OPENED, STOCK, ORDER, TWO, "tick"]),
        ('{nowhere=~".*"}', [OPENED, STOCK, ORDER, TWO, "tick"]),
        ('{nowhere=~".+"}', []),
        ('{} |= "stock"', [STOCK]),
        ('{} |= "stock" or "opened"', [OPENED, STOCK]),
        ('{service_name="cart/eu"} != "stock"', [OPENED, ORDER]),
        ('{} |~ "(?i)CART o"', [OPENED]),
        ('{} |= "line" !~ "one.line"', [ORDER]),
        (f'{{}} | trace_id="{CHECKOUT.hex()}"', [STOCK, ORDER]),
        ('{} | span_id="0000000000000003"', [STOCK]),
        ('{} | text="x"', [STOCK]),
        ("{} | int>6 | double<=1.5", [STOCK]),
        ("{} | int>7", []),
        ('{} | text="x" or event_name="tick"', [STOCK, "tick"]),
        ('{} | severity_text="WARNING"', [ORDER]),
        ("{} | json | order=7", [ORDER]),
        ('{} | json | __error__="" | order="7"', [ORDER]),
        ("{} | drop __error__", [OPENED, STOCK, ORDER, TWO, "tick"]),
    ],
)
def test_log_queries(http: httpx.Client, query: str, expected: list[str]) -> None:
    assert lines(http, query) == expected


def test_directions_and_limits(http: httpx.Client) -> None:
    assert lines(http, "{}", limit="2") == [TWO, "tick"]
    assert lines(http, "{}", limit="2", direction="forward") == [OPENED, STOCK]
    assert lines(http, "{}", start=str(T0 + 8 * MS), end=str(T0 + 9 * MS)) == [STOCK]


def test_streams_and_all_labels(http: httpx.Client) -> None:
    params = {"query": '{level="error"}', **DAY}
    (stream,) = http.get(f"{API}/query_range", params=params).json()["data"]["result"]
    assert stream["values"] == [[str(T0 + 8 * MS), STOCK]]
    labels = stream["stream"]
    assert labels["service_name"] == "cart/eu"
    assert labels["level"] == labels["detected_level"] == "error"
    assert labels["host_name"] == "cart/eu-1"
    assert labels["trace_id"] == CHECKOUT.hex()
    assert labels["severity_text"] == "ERR"
    assert labels["map"] == '{"a":{"b":2.0}}'
    assert "empty" not in labels


def test_categorized_labels(http: httpx.Client) -> None:
    params = {"query": '{service_name="cart/eu"} | json', **DAY}
    data = http.get(f"{API}/query_range", params=params, headers=CATEGORIZED).json()["data"]
    assert data["encodingFlags"] == ["categorize-labels"]
    streams = {stream["stream"]["level"]: stream for stream in data["result"]}
    assert streams["warn"]["stream"] == {"service_name": "cart/eu", "level": "warn", "host_name": "cart/eu-1"}
    ((_, line, labels),) = streams["warn"]["values"]
    assert line == ORDER
    assert labels["parsed"] == {"order": "7"}
    assert labels["structuredMetadata"]["trace_id"] == CHECKOUT.hex()
    assert streams["error"]["values"][0][2]["parsed"] == {"__error__": "JSONParserErr"}


def test_log_volume(http: httpx.Client) -> None:
    query = "sum by (level, detected_level) (count_over_time({} | drop __error__[1s]))"
    series = matrix(http, query, step="1000ms")
    second = T0 / 10**9
    assert series == {
        '{"detected_level": "error", "level": "error"}': [[second + 1, "1"]],
        '{"detected_level": "info", "level": "info"}': [[second + 1, "1"], [second + 2, "1"]],
        '{"detected_level": "unknown", "level": "unknown"}': [[second + 3, "1"]],
        '{"detected_level": "warn", "level": "warn"}': [[second + 1, "1"]],
    }


def test_counts_by_other_labels(http: httpx.Client) -> None:
    second = T0 / 10**9
    by_service = matrix(http, "sum by (service_name) (count_over_time({}[2s]))", step="1s")
    assert by_service['{"service_name": "cart/eu"}'] == [[second + 1, "3"], [second + 2, "3"]]
    assert by_service['{"service_name": "shop"}'] == [[second + 2, "1"], [second + 3, "2"], [second + 4, "1"]]
    assert matrix(http, "sum(count_over_time({}[10s]))", step="10s") == {"{}": [[second + 10, "5"]]}
    by_order = matrix(http, "sum by (order) (rate({} | json [10s]))", step="10s")
    assert by_order == {"{}": [[second + 10, "0.4"]], '{"order": "7"}': [[second + 10, "0.1"]]}
    alone = matrix(http, 'count_over_time({event_name="x"}[1s])', step="1s")
    assert alone == {}
    every_stream = matrix(http, 'count_over_time({service_name="shop"}[10s])', step="10s")
    assert len(every_stream) == 2


def test_instant_counts(http: httpx.Client) -> None:
    query = 'sum by (level) (count_over_time({service_name="cart/eu"}[1s]))'
    answer = http.get(f"{API}/query", params={"query": query, "time": str(T0 + 10**9 - 1)}).json()["data"]
    assert {each["metric"]["level"]: each["value"][1] for each in answer["result"]} == {
        "error": "1",
        "info": "1",
        "warn": "1",
    }


def test_names(http: httpx.Client) -> None:
    assert http.get(f"{API}/labels").json() == {"status": "success", "data": ["host_name", "level", "service_name"]}
    assert http.get(f"{API}/label/service_name/values").json()["data"] == ["cart/eu", "shop"]
    assert http.get(f"{API}/label/level/values", params=DAY).json()["data"] == ["info", "warn", "error", "unknown"]
    query = {"query": '{service_name="shop"}', **DAY}
    assert http.get(f"{API}/label/level/values", params=query).json()["data"] == ["info", "unknown"]
    assert http.get(f"{API}/label/host_name/values").json()["data"] == ["cart/eu-1", "shop-1"]
    assert http.get(f"{API}/label/nothing/values").json()["data"] == []


@pytest.mark.parametrize(
    ("label", "query", "expected"),
    [
        ("service_name", '{level="error"}', ["cart/eu"]),
        ("service_name", '{service_name=~"c.*|x"}', ["cart/eu"]),
        ("service_name", '{host_name="shop-1"}', ["shop"]),
        ("service_name", '{service_name="absent"}', []),
        ("host_name", '{service_name="shop"}', ["shop-1"]),
        ("host_name", '{level=~"info|error"}', ["cart/eu-1", "shop-1"]),
        ("host_name", '{level="warn"} |= "order"', ["cart/eu-1"]),
        ("host_name", '{service_name="shop", level="error"}', []),
        ("host_name", "{}", ["cart/eu-1", "shop-1"]),
        ("nothing", '{service_name="shop"}', []),
    ],
)
def test_values_of_a_selection(http: httpx.Client, label: str, query: str, expected: list[str]) -> None:
    answer = http.get(f"{API}/label/{label}/values", params={"query": query, **DAY})
    assert answer.json()["data"] == expected


def test_values_of_a_time_range(http: httpx.Client) -> None:
    def hosts(first_minute: int) -> list[str]:
        times = {"start": str(T0 + first_minute * 60_000 * MS), "end": str(T0 + (first_minute + 5) * 60_000 * MS)}
        answer = http.get(f"{API}/label/host_name/values", params={"query": '{service_name=~"[cs].+"}', **times})
        return list(answer.json()["data"])

    assert hosts(-4) == ["cart/eu-1", "shop-1"]
    assert hosts(1) == []
    assert hosts(-5) == []


def test_series(http: httpx.Client) -> None:
    series = http.get(f"{API}/series", params={"match[]": '{service_name="shop"}', **DAY}).json()["data"]
    assert {each["level"] for each in series} == {"info", "unknown"}
    stats = http.get(f"{API}/index/stats", params={"query": "{}", **DAY}).json()
    assert stats["entries"] == 5


@pytest.mark.parametrize(
    ("path", "parameters", "message"),
    [
        ("query_range", {"query": "{a=b}"}, "invalid query at position 3: expected a quoted text"),
        ("query_range", {"query": "topk(1, rate({}[1m]))"}, "invalid query at position 0: topk is not supported"),
        ("query_range", {"query": "{}", "limit": "0"}, "invalid limit"),
        ("query_range", {"query": "{}", "limit": "5001"}, "at most 5000"),
        ("query_range", {"query": "{}", "limit": "9" * 5000}, "invalid limit"),
        ("query_range", {"query": "{}", "direction": "up"}, "invalid direction"),
        ("query_range", {"query": "{}", "start": "2", "end": "1"}, "invalid end"),
        ("query_range", {"query": "rate({}[1m])", "step": "0"}, "invalid step"),
        (
            "query_range",
            {"query": "rate({}[1m])", "start": "0", "end": str(T0), "step": "1s"},
            "more than 11000 points",
        ),
        ("query_range", {"query": "(" * 5000}, "invalid query at position 33: nested deeper than 32 levels"),
        ("query_range", {"query": "{" + ",".join(['a_b="x"'] * 65) + "}"}, "more than 64 conditions"),
        ("query_range", {"query": "{} | " + " or ".join(['a_b="x"'] * 65)}, "more than 64 conditions"),
        ("query_range", {"query": "{} | (" + ",".join(['a="x"'] * 40) + ") | (" + ",".join(["a>1"] * 40) + ")"}, "64"),
        ("query_range", {"query": '{} |= "a"' + ' or "b"' * 64}, "more than 64 conditions"),
        ("query_range", {"query": "{}" + "| decolorize" * 65}, "more than 64 conditions"),
        ("query_range", {"query": "{a=~`\\Qabc`}"}, "invalid query at position 4: not a regular expression"),
        ("query", {"query": "{}"}, "not supported as an instant query"),
        ("query", {}, "invalid query at position 0"),
        ("series", {"match[]": "x"}, "invalid match[]"),
    ],
)
def test_mistakes_name_the_place(http: httpx.Client, path: str, parameters: dict[str, str], message: str) -> None:
    answer = http.get(f"{API}/{path}", params=parameters)
    assert answer.status_code == 400
    assert message in answer.json()["message"]


@pytest.mark.parametrize(
    ("query", "sample"),
    [
        ("vector(1234567)", "1234567"),
        ("vector(0.1)+vector(0.2)", "0.30000000000000004"),
        ("vector(1e999)", "+Inf"),
        ("vector(-1e999)", "-Inf"),
        ("vector(nan)", "NaN"),
    ],
)
def test_constants_keep_their_digits(http: httpx.Client, query: str, sample: str) -> None:
    (series,) = http.get(f"{API}/query", params={"query": query}).json()["data"]["result"]
    assert series["value"][1] == sample
    (series,) = http.get(f"{API}/query_range", params={"query": query, "step": "1h"}).json()["data"]["result"]
    assert {text for _, text in series["values"]} == {sample}


def test_live_tail(server: str, storage: Storage) -> None:
    query = quote('{service_name="live"} |= "news"')
    shown = threading.Event()

    def write_until_shown() -> None:
        while not shown.wait(0.3):  # what the first poll finds was there before
            now = time.time_ns()
            records = [
                LogRecord(time_unix_nano=now + number, severity_number=9, body=any_value(body))
                for number, body in enumerate(["old", "news 1", "news 2"])
            ]
            logs = table(Signal.LOGS, logs_message({"live": records}))
            storage.write(Batch(f"tail-{uuid.uuid4()}", SPANS.empty_table(), logs, AGENT_SPANS.empty_table()))

    with connect(f"ws://{server}{API}/tail?query={query}&limit=10") as tail, ThreadPoolExecutor(1) as writer:
        written = writer.submit(write_until_shown)
        try:
            (stream,) = (message := json.loads(tail.recv(timeout=60)))["streams"]
        finally:
            shown.set()
        written.result()
    assert message["dropped_entries"] is None
    assert stream["stream"]["service_name"] == "live"
    told = [line for _, line in stream["values"]]
    assert told
    assert told == ["news 1", "news 2"] * (len(told) // 2)


def test_what_a_tail_s_client_sends_is_ignored(server: str, storage: Storage) -> None:
    query = quote('{service_name="heard"}')
    with connect(f"ws://{server}{API}/tail?query={query}&start=now-1h") as tail:
        for frame in (b"\x00\xff", "text"):
            tail.send(frame)
        records = [LogRecord(time_unix_nano=time.time_ns(), body=any_value("still here"))]
        logs = table(Signal.LOGS, logs_message({"heard": records}))
        storage.write(Batch(f"tail-{uuid.uuid4()}", SPANS.empty_table(), logs, AGENT_SPANS.empty_table()))
        (stream,) = json.loads(tail.recv(timeout=60))["streams"]
    assert [line for _, line in stream["values"]] == ["still here"]


@pytest.mark.parametrize(
    ("query", "header", "status"),
    [("x" * 10_000, "", b"414"), ("x", "y" * 10_000, b"431")],
)
def test_a_handshake_that_cannot_be_read_is_answered(server: str, query: str, header: str, status: bytes) -> None:
    host, _, port = server.rpartition(":")
    handshake = (
        f"GET {API}/tail?query={query} HTTP/1.1\r\nHost: {server}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX: {header}\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=10) as client:
        client.sendall(handshake.encode())
        answer = b"".join(iter(lambda: client.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 " + status)


def test_a_tail_of_a_bad_query_is_refused(server: str) -> None:
    with pytest.raises(InvalidStatus) as caught, connect(f"ws://{server}{API}/tail?query=x"):
        pass
    assert caught.value.response.status_code == 403
