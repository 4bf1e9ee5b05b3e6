"""One trace over Jaeger's v1 API: how it is asked for, what it shows, where it is cut."""

import httpx

from collector.query.jaeger.service import JaegerLimits
from tests.component.jaeger_http.conftest import T0, Serve
from tests.component.jaeger_http.v1_answers import ID, RANGE, data, failure, ids


def test_one_trace_however_its_id_is_written(http: httpx.Client) -> None:
    expected = data(http.get(f"/api/traces/{ID}"))
    assert len(expected[0]["spans"]) == 8
    for written in (f"0000000000000000{ID}", ID.upper(), "AAAAAAAAAAChssPU5fYHGA%3D%3D", "AAAAAAAAAAChssPU5fYHGA"):
        assert data(http.get(f"/api/traces/{written}")) == expected


def test_times_on_a_trace_are_hints(http: httpx.Client) -> None:
    assert ids(http.get(f"/api/traces/{ID}?start=1&end=2")) == [ID]
    assert failure(http.get(f"/api/traces/{ID}?start=x"))[0] == 400


def test_a_raw_trace_is_not_adjusted(http: httpx.Client) -> None:
    (trace,) = data(http.get(f"/api/traces/{ID}?raw=true"))
    assert [span["spanID"] for span in trace["spans"]].count("00000000000000b2") == 2
    assert failure(http.get(f"/api/traces/{ID}?raw=maybe"))[0] == 400


def test_unknown_and_malformed_ids(http: httpx.Client) -> None:
    assert failure(http.get("/api/traces/dead")) == (404, "trace not found")
    assert failure(http.get("/api/traces/" + "1" * 33)) == (
        400,
        "TraceID cannot be longer than 32 hex characters: " + "1" * 33,
    )
    assert failure(http.get("/api/traces/not-an-id!"))[0] == 400


def test_transfers_are_shown(serve: Serve) -> None:
    transfer = {"from_agent": "a", "to_agent": "b", "kind": "handoff", "time_unix_nano": T0}
    trigger = (bytes(15) + b"\1", b"batchjob")
    with serve(transfers={trigger: [transfer]}) as http:
        (trace,) = data(http.get("/api/traces/1"))
    assert trace["spans"][0]["logs"][0]["fields"][0]["value"] == "agent transfer"


def test_limits(serve: Serve) -> None:
    small = JaegerLimits(max_traces=1, max_trace_spans=3, max_answer_bytes=1_000, max_transform_bytes=100)
    with serve(limits=small) as http:
        assert ids(http.get(f"/api/traces?service=batch/jobs&{RANGE}")) == ["0000000000000003"]
        (trace,) = data(http.get("/api/traces/0000000000000001"))
        assert trace["spans"][0]["operationName"] == "run"
        assert failure(http.get(f"/api/traces/{ID}"))[0] == 422
        assert failure(http.post("/api/transform", content=b" " * 101)) == (413, "the body is over 100 bytes")


def test_a_cut_trace_says_so(serve: Serve) -> None:
    with serve(limits=JaegerLimits(max_trace_spans=3)) as http:
        (trace,) = data(http.get(f"/api/traces/{ID}"))
    warnings = [warning for span in trace["spans"] for warning in span["warnings"] or ()]
    assert len(trace["spans"]) == 3
    assert "trace has more than 3 spans, showing first 3 spans only" in warnings
