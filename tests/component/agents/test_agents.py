"""GET /api/v1/agents and /api/v1/agents/graph."""

from typing import Any

import httpx
import pytest

from tests.component.agents.desk import MS, ODD, PING, PLAIN, REFUND, SECOND, T0


def answer(http: httpx.Client, path: str, **parameters: Any) -> dict[str, Any]:
    response = http.get(f"/api/v1/{path}", params=parameters)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def by_name(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["agent"]: row for row in rows}


def test_figures_of_an_agent(http: httpx.Client) -> None:
    found = answer(http, "agents")
    assert found["truncated"] is False
    billing = by_name(found["agents"])["billing"]
    assert billing == {
        "agent": "billing",
        "runs": 3,
        "errors": 0,
        "duration_ns": billing["duration_ns"],
        "model_calls": 1,
        "tool_calls": 3,
        "input_tokens": 200,  # two instrumentations report the one call
        "output_tokens": 20,
        "cached_input_tokens": None,
        "reasoning_tokens": None,
        "cost_usd": 0.5,
        "models": ["m-1"],
        "services": ["desk"],
        "transfers_in": {"transfers": 2, "completed": 2, "kinds": {"handoff": {"transfers": 2, "completed": 2}}},
        "transfers_out": {"transfers": 2, "completed": 1, "kinds": {"handoff": {"transfers": 2, "completed": 1}}},
        "first_seen": "2027-01-15T08:00:00.900000000Z",
        "first_seen_unix_nano": T0 + 900 * MS,
        "last_seen": "2027-01-15T08:00:13.500000000Z",
        "last_seen_unix_nano": T0 + 13_500 * MS,
    }
    assert 0.8e9 < billing["duration_ns"]["p50"] < 1e9
    assert 1.8e9 < billing["duration_ns"]["p99"] < 1.9e9


def test_most_runs_first_and_agents_that_never_ran_last(http: httpx.Client) -> None:
    rows = answer(http, "agents")["agents"]
    assert [row["agent"] for row in rows][:2] == ["billing", "writer"]
    assert {row["agent"] for row in rows if not row["runs"]} == {"notary", "agent-1", "agent-2", "7", "8"}
    notary = by_name(rows)["notary"]
    assert notary["duration_ns"] == {"p50": None, "p90": None, "p99": None}
    assert (notary["input_tokens"], notary["services"], notary["transfers_in"]["completed"]) == (None, [], 0)


def test_a_range(http: httpx.Client) -> None:
    rows = answer(http, "agents", start=T0, end=T0 + 5_000 * MS)["agents"]
    assert {row["agent"]: (row["runs"], row["input_tokens"]) for row in rows} == {
        "triage": (1, 100),
        "billing": (1, 200),
    }


def edges(found: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(edge["from_agent"], edge["to_agent"]): edge for edge in found["edges"]}


def test_the_graph_of_a_trace(http: httpx.Client) -> None:
    found = answer(http, "agents/graph", trace_id=REFUND.hex())
    assert [row["agent"] for row in found["nodes"]] == ["billing", "triage"]
    assert found["edges"] == [
        {
            "from_agent": "triage",
            "to_agent": "billing",
            "transfers": 1,
            "completed": 1,
            "kinds": {"handoff": {"transfers": 1, "completed": 1}},
            "mean_latency_ns": 110 * MS,
            "rules": ["handoff_tool"],
            "signals": ["span"],
            "confidence": {"min": 0.95, "mean": 0.95},
            "in_loop": False,
            "ping_pong": False,
        }
    ]
    assert (found["loops"], found["ping_pongs"], found["truncated"]) == ([], [], False)


def test_the_graph_of_a_conversation_shows_its_loop(http: httpx.Client) -> None:
    found = answer(http, "agents/graph", conversation_id=ODD)
    assert {row["agent"]: row["runs"] for row in found["nodes"]} == {
        "billing": 3,
        "triage": 1,
        "risk": 1,
        "audit": 1,
        "notary": 0,
    }
    assert {pair: edge["in_loop"] for pair, edge in edges(found).items()} == {
        ("triage", "billing"): False,
        ("billing", "risk"): True,
        ("risk", "audit"): True,
        ("audit", "billing"): True,
        ("billing", "notary"): False,
    }
    assert found["loops"] == [{"agents": ["audit", "billing", "risk"], "cycle": ["audit", "billing", "risk"]}]
    assert found["ping_pongs"] == []


@pytest.mark.parametrize("scope", [{"conversation_id": SECOND}, {"trace_id": PING.hex()}, {"start": T0 + 15_000 * MS}])
def test_ping_pong(http: httpx.Client, scope: dict[str, Any]) -> None:
    found = answer(http, "agents/graph", **scope)
    (pair,) = found["ping_pongs"]
    assert pair == {
        "agents": ["writer", "editor"],
        "conversation_id": SECOND,
        "trace_id": None,
        "transfers": 4,
        "first": "2027-01-15T08:00:20.500000000Z",
        "first_unix_nano": T0 + 20_500 * MS,
        "last": "2027-01-15T08:00:23.500000000Z",
        "last_unix_nano": T0 + 23_500 * MS,
    }
    assert [edge["ping_pong"] for edge in found["edges"] if edge["from_agent"] in pair["agents"]] == [True, True]
    assert edges(found)["writer", "editor"]["mean_latency_ns"] == 500 * MS


def test_the_graph_of_nothing(http: httpx.Client) -> None:
    nothing = {"nodes": [], "edges": [], "loops": [], "ping_pongs": [], "truncated": False}
    for scope in ({"trace_id": PLAIN.hex()}, {"conversation_id": "none"}, {"start": T0 + 10**15}):
        assert answer(http, "agents/graph", **scope) == nothing


def test_the_graph_of_everything_has_every_transfer(http: httpx.Client) -> None:
    found = answer(http, "agents/graph")
    assert sum(edge["transfers"] for edge in found["edges"]) == 11
    assert answer(http, "agents/graph", min_confidence=0.96)["edges"] == []
    names = {row["agent"] for row in found["nodes"]}
    assert all({edge["from_agent"], edge["to_agent"]} <= names for edge in found["edges"])


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({"trace_id": "xyz"}, "trace_id"),
        ({"trace_id": "1", "conversation_id": "2"}, "conversation_id"),
        ({"conversation_id": ""}, "conversation_id"),
        ({"start": "soon"}, "start"),
        ({"min_confidence": -1}, "min_confidence"),
        ({"service": "desk"}, "service"),
    ],
)
def test_mistakes_are_named(http: httpx.Client, parameters: dict[str, Any], name: str) -> None:
    response = http.get("/api/v1/agents/graph", params=parameters)
    assert (response.status_code, response.json()["parameter"]) == (400, name)
