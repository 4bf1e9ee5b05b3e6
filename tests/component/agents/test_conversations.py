"""GET /api/v1/conversations and /api/v1/conversations/{id}."""

from typing import Any, cast
from urllib.parse import quote

import httpx
import pytest

from collector.metrics import Metrics
from collector.pipeline.ledger import Ledger
from collector.query.agents import conversation
from collector.query.dependencies import QueryDependencies
from collector.query.problems import Problem
from collector.state import ServiceState
from storage.agents import AgentStorage
from tests.component.agents.desk import LOOP, MS, ODD, REFUND, SECOND, T0


def listed(http: httpx.Client, **parameters: Any) -> list[str]:
    answer = http.get("/api/v1/conversations", params=parameters)
    assert answer.status_code == 200, answer.text
    return [row["conversation_id"] for row in answer.json()["conversations"]]


def timeline(http: httpx.Client, conversation_id: str, **parameters: Any) -> dict[str, Any]:
    answer = http.get(f"/api/v1/conversations/{quote(conversation_id, safe='')}", params=parameters)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_row(http: httpx.Client) -> None:
    rows = http.get("/api/v1/conversations").json()["conversations"]
    assert rows[1] == {
        "conversation_id": ODD,
        "start_time": "2027-01-15T08:00:00.010000000Z",
        "start_time_unix_nano": T0 + 10 * MS,
        "end_time": "2027-01-15T08:00:13.900000000Z",
        "end_time_unix_nano": T0 + 13_900 * MS,
        "duration_ns": 13_890 * MS,
        "traces": 2,
        "spans": 11,
        "errors": 0,
        "agents": ["audit", "billing", "risk", "triage"],
        "users": ["amira"],
    }


def test_filters(http: httpx.Client) -> None:
    assert listed(http) == [SECOND, ODD]
    assert listed(http, agent="editor") == [SECOND]
    assert listed(http, user="amira", agent="risk") == [ODD]
    assert listed(http, user="bo") == []
    assert listed(http, end=T0 + 15_000 * MS) == [ODD]
    assert listed(http, start=T0 + 60_000 * MS) == []


def test_pages(http: httpx.Client) -> None:
    first = http.get("/api/v1/conversations", params={"limit": 1}).json()
    second = http.get("/api/v1/conversations", params={"limit": 1, "cursor": first["next_cursor"]}).json()
    assert [row["conversation_id"] for page in (first, second) for row in page["conversations"]] == [SECOND, ODD]
    assert second["next_cursor"] is None


@pytest.mark.parametrize("parameters", [{"limit": 0}, {"limit": 1001}, {"cursor": "x"}, {"end": "never"}])
def test_mistakes_are_named(http: httpx.Client, parameters: dict[str, Any]) -> None:
    answer = http.get("/api/v1/conversations", params=parameters)
    assert (answer.status_code, answer.json()["parameter"]) == (400, next(iter(parameters)))


def test_a_timeline_tells_everything_in_order(http: httpx.Client) -> None:
    found = timeline(http, ODD)
    entries = [(entry["type"], entry["agent"], entry["summary"]) for entry in found["entries"]]
    assert entries[:11] == [
        ("log", None, "message accepted"),
        ("agent_run", "triage", "triage ran: 1 model call, 1 tool call"),
        ("model_call", "triage", "chat m-1: 100 tokens in, 10 out"),
        ("tool_call", "triage", "transfer_to_agent"),
        ("transfer", "triage", "triage → billing (handoff): charged twice"),
        ("agent_run", "billing", "billing ran: 1 model call, 1 tool call"),
        ("model_call", "billing", "chat m-1: 200 tokens in, 20 out"),
        ("tool_call", "billing", "pay_back failed: 503"),
        ("error", "billing", "POST /refunds failed: card network is down"),
        ("log", "billing", "no answer from the card network"),
        ("agent_run", "billing", "billing ran: 0 model calls, 1 tool call"),
    ]
    assert entries[-1] == ("transfer", "billing", "billing → notary (handoff, never ran)")
    assert found["truncated"] is False
    times = [entry["time_unix_nano"] for entry in found["entries"]]
    assert times == sorted(times)


def test_an_entry_leads_to_its_span(http: httpx.Client) -> None:
    entries = timeline(http, ODD)["entries"]
    call = next(entry for entry in entries if entry["type"] == "model_call")
    assert call == {
        "type": "model_call",
        "time": "2027-01-15T08:00:00.020000000Z",
        "time_unix_nano": T0 + 20 * MS,
        "duration_ns": 780 * MS,
        "agent": "triage",
        "service": "desk",
        "trace_id": REFUND.hex(),
        "span_id": "0300000000000000",
        "summary": "chat m-1: 100 tokens in, 10 out",
        "error": False,
        "input_tokens": 100,
        "output_tokens": 10,
        "cached_input_tokens": None,
        "reasoning_tokens": None,
        "cost_usd": 0.25,
    }
    transfer = next(entry for entry in entries if entry["type"] == "transfer")
    assert transfer["span_id"] == "0400000000000000"
    assert transfer["transfer"]["rule"] == "handoff_tool"
    assert [entry["error"] for entry in entries if entry["type"] == "log"] == [False, True]
    assert [entry["severity"] for entry in entries if entry["type"] == "log"] == ["INFO", "ERROR"]


def test_totals_count_every_call_once(http: httpx.Client) -> None:
    found = timeline(http, ODD)
    assert found["totals"] == {
        "agent_runs": 6,
        "model_calls": 2,
        "tool_calls": 6,
        "transfers": 5,
        "transfers_completed": 4,
        "spans": 18,
        "span_errors": 2,
        "input_tokens": 300,
        "output_tokens": 30,
        "cached_input_tokens": None,
        "reasoning_tokens": None,
        "cost_usd": 0.75,
    }
    spent = [entry["input_tokens"] or 0 for entry in found["entries"] if entry["type"] == "model_call"]
    assert sum(spent) == found["totals"]["input_tokens"]
    assert found["traces"] == [REFUND.hex(), LOOP.hex()]
    assert found["services"] == ["desk", "gateway", "payments", "web"]
    assert (found["agents"], found["users"]) == (["audit", "billing", "risk", "triage"], ["amira"])
    assert (found["start_time_unix_nano"], found["duration_ns"]) == (T0, 14_000 * MS)


def test_what_does_not_fit_is_said(http: httpx.Client) -> None:
    everything = timeline(http, ODD)
    count = len(everything["entries"])
    assert timeline(http, ODD, limit=count)["truncated"] is False
    cut = timeline(http, ODD, limit=count - 1)
    assert cut["truncated"] is True
    assert cut["entries"] == everything["entries"][:-1]
    assert timeline(http, ODD, limit=1)["totals"] == everything["totals"]


def test_ids_with_odd_characters(http: httpx.Client) -> None:
    assert http.get(f"/api/v1/conversations/{quote(ODD, safe='/')}").json()["conversation_id"] == ODD
    for unknown in ("none", "desk/42", "a/b/../c", "", "%00", "x" * 3000):
        answer = http.get(f"/api/v1/conversations/{quote(unknown, safe='')}")
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json"), unknown
    assert http.get(f"/api/v1/conversations/{quote(ODD)}", params={"limit": 10_001}).status_code == 400


class Forgetful:
    """A store whose retention drops a conversation right after its traces were looked up."""

    def __init__(self, store: AgentStorage) -> None:
        self._store = store

    def traces_of_conversation(self, conversation_id: str, limit: int) -> list[bytes]:
        return [bytes(15) + b"\x77"]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def test_a_conversation_that_retention_drops_meanwhile_is_not_found(storage: AgentStorage) -> None:
    deps = QueryDependencies(
        storage=cast(AgentStorage, Forgetful(storage)),
        ledger=Ledger(),
        state=lambda: ServiceState(journal_cap_bytes=1000),
        metrics=Metrics("1.2.3"),
        version="1.2.3",
    )
    with pytest.raises(Problem) as refused:
        conversation.timeline(deps, "conv-gone", 10)
    assert refused.value.status == 404
