"""GET /api/v1/transfers: the rows, every filter, pages, mistakes."""

from typing import Any, get_args

import grpc
import httpx
import pytest

from collector.loop_thread import LoopThread
from collector.processors.agent_transfers.rules import trigger
from collector.query.agents.transfers import Kind
from collector.query.jaeger.transfers import transfers_of
from collector.query.jaeger_grpc.server import JaegerGrpcServer, JaegerGrpcSettings
from exporters.jaeger.generated import api_v2_pb2 as pb
from storage.agents import AgentStorage
from tests.component.agents.conftest import TRANSFERS
from tests.component.agents.desk import LOGGED, LOOP, MS, ODD, PING, PLAIN, REFUND, SECOND, T0
from tests.component.jaeger_grpc.client import Client


def rows(http: httpx.Client, **parameters: Any) -> list[dict[str, Any]]:
    answer = http.get("/api/v1/transfers", params=parameters)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["transfers"]
    return found


def pairs(http: httpx.Client, **parameters: Any) -> list[tuple[str, str]]:
    return [(row["from_agent"], row["to_agent"]) for row in rows(http, **parameters)]


def test_a_row_has_every_field(http: httpx.Client) -> None:
    (row,) = rows(http, trace_id=REFUND.hex())
    assert len(row.pop("id")) == 32
    assert row == {
        "project": "default",
        "trace_id": REFUND.hex(),
        "conversation_id": ODD,
        "from_agent": "triage",
        "to_agent": "billing",
        "from_agent_id": None,
        "to_agent_id": None,
        "kind": "handoff",
        "completed": True,
        "waits": False,
        "time": "2027-01-15T08:00:00.900000000Z",
        "time_unix_nano": T0 + 900 * MS,
        "trigger_span_id": "0400000000000000",
        "target_span_id": "0500000000000000",
        "target_trace_id": None,
        "reason": "charged twice",
        "signal": "span",
        "rule": "handoff_tool",
        "confidence": 0.95,
    }


def test_newest_first_and_all_of_them(http: httpx.Client) -> None:
    times = [row["time_unix_nano"] for row in rows(http, limit=1000)]
    assert len(times) == TRANSFERS
    assert times == sorted(times, reverse=True)


def test_a_record_outside_any_trace(http: httpx.Client) -> None:
    (row,) = rows(http, from_agent="7")
    assert (row["to_agent"], row["kind"], row["signal"], row["rule"]) == ("8", "delegation", "log", "log_delegates")
    assert (row["trace_id"], row["trigger_span_id"], row["conversation_id"], row["reason"]) == (None,) * 4
    assert row["time_unix_nano"] == T0 + 50_000 * MS


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"trace_id": LOGGED.hex()}, [("agent-1", "agent-2")]),
        ({"trace_id": REFUND.hex().lstrip("0")}, [("triage", "billing")]),
        ({"trace_id": PLAIN.hex()}, []),
        ({"conversation_id": SECOND, "from_agent": "editor"}, [("editor", "writer")] * 2),
        ({"to_agent": "audit"}, [("risk", "audit")]),
        ({"to_agent": "billing", "conversation_id": ODD}, [("audit", "billing"), ("triage", "billing")]),
        ({"kind": "delegation"}, [("7", "8")]),
        ({"signal": "log"}, [("7", "8"), ("agent-1", "agent-2")]),
        ({"start": T0 + 40_500 * MS, "end": T0 + 50_000 * MS}, [("agent-1", "agent-2")]),
        ({"end": "2027-01-15T08:00:01Z"}, [("triage", "billing")]),
        ({"min_confidence": 0.99}, []),
        ({"conversation_id": "none"}, []),
        ({"conversation_id": ""}, [("7", "8"), ("agent-1", "agent-2")]),
        ({"from_agent": ""}, []),
    ],
)
def test_filters(http: httpx.Client, parameters: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert pairs(http, **parameters) == expected


def test_an_attempt_says_that_it_was_one(http: httpx.Client) -> None:
    (row,) = rows(http, to_agent="notary")
    assert (row["completed"], row["target_span_id"]) == (False, None)


@pytest.mark.parametrize("limit", [1, 2, 3, TRANSFERS - 1, TRANSFERS])
def test_pages_neither_skip_nor_repeat(http: httpx.Client, limit: int) -> None:
    found, cursor = [], None
    while True:
        answer = http.get("/api/v1/transfers", params={"limit": limit} | ({"cursor": cursor} if cursor else {})).json()
        assert 0 < len(answer["transfers"]) <= limit
        found += [row["id"] for row in answer["transfers"]]
        cursor = answer["next_cursor"]
        if cursor is None:
            break
    assert found == [row["id"] for row in rows(http, limit=1000)]


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({"kind": "gift"}, "kind"),
        ({"signal": "metric"}, "signal"),
        ({"trace_id": "xyz"}, "trace_id"),
        ({"min_confidence": "nan"}, "min_confidence"),
        ({"min_confidence": 1.5}, "min_confidence"),
        ({"start": "yesterday"}, "start"),
        ({"start": 2, "end": 1}, "start"),
        ({"limit": 0}, "limit"),
        ({"limit": 5001}, "limit"),
        ({"cursor": "AAAA"}, "cursor"),
        ({"cursor": "AwAAAAAAAAAA"}, "cursor"),
        ({"agent": "triage"}, "agent"),
    ],
)
def test_mistakes_are_named(http: httpx.Client, parameters: dict[str, Any], name: str) -> None:
    answer = http.get("/api/v1/transfers", params=parameters)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert answer.json()["parameter"] == name


def test_a_cursor_belongs_to_its_query(http: httpx.Client) -> None:
    cursor = http.get("/api/v1/transfers", params={"limit": 1}).json()["next_cursor"]
    for path, parameters in (("transfers", {"kind": "handoff"}), ("conversations", {}), ("traces", {})):
        answer = http.get(f"/api/v1/{path}", params={"cursor": cursor, **parameters})
        assert (answer.status_code, answer.json()["parameter"]) == (400, "cursor")


def test_every_kind_can_be_asked_for() -> None:
    kinds = {getattr(trigger, name) for name in ("HANDOFF", "DELEGATION", "AGENT_AS_TOOL", "GRAPH_EDGE")}
    assert set(get_args(Kind)) == kinds | {trigger.SEQUENCE, trigger.RETURN}


def test_jaeger_shows_transfers_on_the_span_that_caused_them(http: httpx.Client) -> None:
    search = f"/api/traces?service=desk&start={T0 // 1000}&end={T0 // 1000 + 60_000_000}"
    for path in (f"/api/traces/{REFUND.hex()}", f"/api/v1/traces/{REFUND.hex()}?format=jaeger", search):
        traces = http.get(path).json()["data"]
        spans = [span for trace in traces for span in trace["spans"]]
        (span,) = [each for each in spans if "triage → billing" in [tag["value"] for tag in each["tags"]]]
        assert (span["operationName"], span["spanID"]) == ("execute_tool transfer_to_agent", "0400000000000000")
        (log,) = span["logs"]
        fields = {field["key"]: field["value"] for field in log["fields"]}
        assert fields["event"] == "agent transfer"
        assert (fields["from_agent"], fields["to_agent"]) == ("triage", "billing")
        assert (fields["kind"], fields["reason"], fields["completed"]) == ("handoff", "charged twice", True)
        assert (fields["rule"], fields["signal"], fields["confidence"]) == ("handoff_tool", "span", 0.95)
        assert log["timestamp"] == (T0 + 900 * MS) // 1000


@pytest.mark.parametrize("raw", [False, True])
def test_jaegers_older_grpc_api_shows_them_too(storage: AgentStorage, raw: bool) -> None:
    with LoopThread("test-grpc") as thread:
        transfers = transfers_of(storage)
        server = JaegerGrpcServer(JaegerGrpcSettings("127.0.0.1", 0), storage, thread, transfers=transfers)
        server.start()
        with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            service = pb.DESCRIPTOR.services_by_name["QueryService"]
            request = pb.GetTraceRequest(trace_id=REFUND, raw_traces=raw)
            chunks = Client(channel).stream(service, "GetTrace", request)
        server.close()
    (span,) = [span for chunk in chunks for span in chunk.spans if span.logs]
    assert span.span_id == (4).to_bytes(8, "little")
    assert {tag.key: tag.v_str for tag in span.tags}["agent.transfer"] == "triage → billing"
    fields = {field.key: field for field in span.logs[0].fields}
    assert (fields["event"].v_str, fields["to_agent"].v_str) == ("agent transfer", "billing")
    assert (fields["completed"].v_bool, fields["confidence"].v_float64) == (True, 0.95)
    assert span.logs[0].timestamp.ToNanoseconds() == T0 + 900 * MS


@pytest.mark.parametrize(("trace", "count"), [(PLAIN, 0), (LOGGED, 1), (LOOP, 4), (PING, 4)])
def test_jaeger_shows_as_many_as_there_are(http: httpx.Client, trace: bytes, count: int) -> None:
    spans = http.get(f"/api/traces/{trace.hex()}").json()["data"][0]["spans"]
    fields = [field for span in spans for log in span["logs"] for field in log["fields"]]
    assert [field["value"] for field in fields if field["key"] == "event"] == ["agent transfer"] * count
