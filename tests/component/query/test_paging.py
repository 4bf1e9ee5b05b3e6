"""Pages neither skip nor repeat while telemetry arrives."""

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from storage.api import Storage
from tests.component.query.conftest import batch
from tests.component.query.shop import BROWSE, CHECKOUT, ORPHANED, logs_message, record, resource, span


def write(storage: Storage, name: str, *spans: Span) -> None:
    scopes = [ScopeSpans(spans=spans)]
    message = ExportTraceServiceRequest(resource_spans=[ResourceSpans(resource=resource("late"), scope_spans=scopes)])
    storage.write(batch(name, message.SerializeToString(), b""))


def test_traces_that_arrive_meanwhile_do_not_show(http: httpx.Client, storage: Storage) -> None:
    first = http.get("/api/v1/traces?limit=1").json()
    write(storage, "newer", span(b"n" * 16, 9, 0, "newer", 9000, 1), span(CHECKOUT, 9, 1, "more", 9500, 1))
    parameters = {"limit": "1", "cursor": first["next_cursor"]}
    second = http.get("/api/v1/traces", params=parameters).json()
    third = http.get("/api/v1/traces", params={**parameters, "cursor": second["next_cursor"]}).json()

    rows = [page["traces"][0]["trace_id"] for page in (first, second, third)]
    assert rows == [ORPHANED.hex(), BROWSE.hex(), CHECKOUT.hex()]


def test_traces_that_arrive_before_an_end_yet_to_come_hide_none(http: httpx.Client, storage: Storage) -> None:
    write(
        storage,
        "three",
        *(span(trace * 16, 1, 0, "ends later", 5000 + at, 1) for at, trace in enumerate((b"1", b"2", b"3"))),
    )
    query = {"name": "ends later", "end": "2500-01-01", "limit": "1"}
    first = http.get("/api/v1/traces", params=query).json()
    write(storage, "again", span(b"1" * 16, 2, 1, "ends later", 9600, 1))
    rest = http.get("/api/v1/traces", params={**query, "limit": "10", "cursor": first["next_cursor"]}).json()

    rows = [row["trace_id"] for row in first["traces"] + rest["traces"]]
    assert rows == [(trace * 16).hex() for trace in (b"3", b"2", b"1")]


def test_log_records_that_arrive_meanwhile_do_not_show(http: httpx.Client, storage: Storage) -> None:
    first = http.get("/api/v1/logs?limit=2").json()
    storage.write(
        batch("newer logs", b"", logs_message({"late": [record(2000, 9, "same time"), record(9000, 9, "n")]}))
    )
    rest = http.get("/api/v1/logs", params={"limit": "10", "cursor": first["next_cursor"]}).json()

    times = [row["time_unix_nano"] for row in first["logs"] + rest["logs"]]
    assert times == sorted(times, reverse=True)
    assert "n" not in [row["body"] for row in rest["logs"]]


def test_a_cursor_of_another_query_is_refused(http: httpx.Client) -> None:
    cursor = http.get("/api/v1/traces?limit=1").json()["next_cursor"]
    for path in ("/api/v1/traces?service=shop", "/api/v1/logs?limit=1"):
        answer = http.get(path, params={**httpx.URL(path).params, "cursor": cursor})
        assert (answer.status_code, answer.json()["parameter"]) == (400, "cursor")


def test_the_last_nanosecond_that_can_be_sent_is_kept_data_too(http: httpx.Client, storage: Storage) -> None:
    last, early = 2**64 - 1, Span(trace_id=b"e" * 16, span_id=b"e" * 8, start_time_unix_nano=1)
    write(storage, "far", Span(trace_id=b"f" * 16, span_id=b"f" * 8, start_time_unix_nano=last), early)
    records = LogRecord(time_unix_nano=last), LogRecord(time_unix_nano=1)
    storage.write(batch("far logs", b"", logs_message({"late": list(records)})))

    newest = http.get("/api/v1/traces?limit=1").json()
    assert newest["traces"][0]["newest_match_unix_nano"] == last
    rest = http.get("/api/v1/traces", params={"limit": "100", "cursor": newest["next_cursor"]}).json()
    assert last not in [row["newest_match_unix_nano"] for row in rest["traces"]]
    assert http.get("/api/v1/logs?limit=1").json()["logs"][0]["time_unix_nano"] == last

    old = Span(trace_id=b"f" * 16, span_id=b"o" * 8, start_time_unix_nano=2)
    write(storage, "far and old", old)
    found, parameters = newest["traces"], {"limit": "1", "cursor": newest["next_cursor"]}
    while parameters["cursor"]:
        page = http.get("/api/v1/traces", params=parameters).json()
        found, parameters["cursor"] = found + page["traces"], page["next_cursor"]
    assert len(found) == len({row["trace_id"] for row in found}), "each trace is on one page"

    oldest = http.get("/api/v1/logs?order=oldest&limit=1").json()
    rest = http.get("/api/v1/logs", params={"order": "oldest", "cursor": oldest["next_cursor"]}).json()
    assert (oldest["logs"][0]["time_unix_nano"], rest["logs"][-1]["time_unix_nano"]) == (1, last)
