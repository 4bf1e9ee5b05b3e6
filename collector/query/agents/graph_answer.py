"""`GET /api/v1/agents/graph`: who hands work to whom in a range, a trace or a conversation."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, Field

from collector.query.agents.figures import AGENT_EXAMPLE, MAX_AGENTS, MAX_EDGES, TransferCounts, agent_rows
from collector.query.agents.graph import Handover, PingPong, loops, ping_pongs
from collector.query.agents.transfers import END, START
from collector.query.dependencies import QueryDependencies
from collector.query.parse.ids import parse_trace_id
from collector.query.parse.times import format_time
from collector.query.problems import Problem, read
from collector.query.ranges import read_range
from storage.agents import RunQuery, TransferQuery

MAX_HANDOVERS = 20_000
MAX_FLAGS = 100
MAX_TRACES = 1_000

GRAPH_EXAMPLE: dict[str, Any] = {
    "nodes": [AGENT_EXAMPLE],
    "edges": [
        {
            "from_agent": "triage_agent",
            "to_agent": "billing_agent",
            "transfers": 12,
            "completed": 12,
            "kinds": {"handoff": {"transfers": 12, "completed": 12}},
            "mean_latency_ns": 310000000,
            "rules": ["handoff_tool"],
            "signals": ["span"],
            "confidence": {"min": 0.95, "mean": 0.95},
            "in_loop": True,
            "ping_pong": False,
        }
    ],
    "loops": [{"agents": ["billing_agent", "triage_agent"], "cycle": ["billing_agent", "triage_agent"]}],
    "ping_pongs": [],
    "truncated": False,
}


class GraphSearch(BaseModel):
    """What the graph is of; without anything, of everything that is kept."""

    start: str | None = Field(default=None, description=START)
    end: str | None = Field(default=None, description=END)
    trace_id: str | None = Field(default=None, description="Of one trace; short ids are padded with zeros.")
    conversation_id: str | None = Field(default=None, min_length=1, description="Of all traces of one conversation.")
    min_confidence: float = Field(default=0.0, ge=0.0, le=1.0, description="Only transfers at least this sure.")


@dataclass(frozen=True, slots=True)
class _Scope:
    runs: RunQuery
    transfers: TransferQuery
    truncated: bool


def graph(deps: QueryDependencies, parameters: GraphSearch) -> dict[str, Any]:
    """Return `nodes`, `edges`, `loops`, `ping_pongs`; `truncated` says that there is more than is shown."""
    scope = _scope(deps, parameters)
    figures = deps.storage.agent_figures(scope.runs).to_pylist()
    edges = deps.storage.transfer_edges(scope.transfers).to_pylist()
    newest = deps.storage.find_transfers(replace(scope.transfers, limit=MAX_HANDOVERS))
    columns = ("trace_id", "conversation_id", "from_agent", "to_agent", "kind", "completed", "time_unix_nano")
    pairs = ping_pongs(_handovers(newest.select(columns).to_pylist()))
    circles = loops((edge["from_agent"], edge["to_agent"]) for edge in edges if _leads_on(edge))
    full = len(figures) == MAX_AGENTS or len(edges) == MAX_EDGES or newest.num_rows == MAX_HANDOVERS
    many = len(pairs) > MAX_FLAGS or len(circles) > MAX_FLAGS
    flagged = {frozenset(pair.agents) for pair in pairs}
    loop_of = {agent: number for number, loop in enumerate(circles) for agent in loop.agents}
    return {
        "nodes": agent_rows(figures, edges),
        "edges": [
            {
                **edge,
                "in_loop": loop_of.get(edge["from_agent"], -1) == loop_of.get(edge["to_agent"], -2),
                "ping_pong": frozenset((edge["from_agent"], edge["to_agent"])) in flagged,
            }
            for edge in merged(edges)
        ],
        "loops": [{"agents": loop.agents, "cycle": loop.cycle} for loop in circles[:MAX_FLAGS]],
        "ping_pongs": [_ping_pong(pair) for pair in pairs[:MAX_FLAGS]],
        "truncated": scope.truncated or full or many,
    }


def _scope(deps: QueryDependencies, parameters: GraphSearch) -> _Scope:
    if parameters.trace_id is not None and parameters.conversation_id is not None:
        raise Problem("bad-parameter", "give a trace or a conversation, not both", parameter="conversation_id")
    time = None
    if parameters.start is not None or parameters.end is not None:
        time = read_range(parameters.start, parameters.end, deps.clock())
    runs = RunQuery(time=time, limit=MAX_AGENTS)
    transfers = TransferQuery(time=time, min_confidence=parameters.min_confidence, limit=MAX_EDGES)
    if parameters.trace_id is not None:
        trace_id = read("trace_id", parse_trace_id, parameters.trace_id)
        return _Scope(replace(runs, trace_id=trace_id), replace(transfers, trace_id=trace_id), truncated=False)
    if parameters.conversation_id is not None:
        ids = deps.storage.traces_of_conversation(parameters.conversation_id, MAX_TRACES + 1)
        cut = len(ids) > MAX_TRACES
        return _Scope(replace(runs, trace_ids=ids[:MAX_TRACES]), replace(transfers, trace_ids=ids[:MAX_TRACES]), cut)
    return _Scope(runs, transfers, truncated=False)


def merged(edges: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one edge for each pair of agents, most transfers first, from TRANSFER_EDGES rows, which are by kind."""
    pairs: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for edge in edges:
        pairs.setdefault((edge["from_agent"], edge["to_agent"]), []).append(edge)
    found = [_edge(*pair, several) for pair, several in pairs.items()]
    return sorted(found, key=lambda edge: (-edge["transfers"], edge["from_agent"], edge["to_agent"]))


def _edge(from_agent: str, to_agent: str, several: list[Mapping[str, Any]]) -> dict[str, Any]:
    counts = TransferCounts()
    for edge in several:
        counts.add(edge)
    timed = sum(edge["latency_count"] for edge in several)
    waited = sum(edge["latency_mean_ns"] * edge["latency_count"] for edge in several if edge["latency_count"])
    confidence = sum(edge["confidence_mean"] * edge["transfers"] for edge in several)
    transfers = sum(edge["transfers"] for edge in several)
    return {
        "from_agent": from_agent,
        "to_agent": to_agent,
        **counts.answer(),
        "mean_latency_ns": waited // timed if timed else None,
        "rules": sorted({rule for edge in several for rule in edge["rules"]}),
        "signals": sorted({signal for edge in several for signal in edge["signals"]}),
        "confidence": {
            "min": min(edge["confidence_min"] for edge in several),
            "mean": round(confidence / transfers, 4),
        },
    }


def _handovers(transfers: Iterable[Mapping[str, Any]]) -> Iterator[Handover]:
    """Yield what may be a part of a ping-pong; returns are the other half of a call, records without a trace lone."""
    for row in transfers:
        conversation = row["conversation_id"]
        place = conversation, "" if conversation else row["trace_id"].hex()
        if any(place) and row["completed"] and row["from_agent"] and row["kind"] != "return":
            yield Handover(place, row["time_unix_nano"], row["from_agent"], row["to_agent"])


def _leads_on(edge: Mapping[str, Any]) -> bool:
    """A loop needs work that went on: returns end a call, attempts lead nowhere."""
    return bool(edge["from_agent"] and edge["completed"] and edge["kind"] != "return")


def _ping_pong(pair: PingPong) -> dict[str, Any]:
    return {
        "agents": pair.agents,
        "conversation_id": pair.place[0] or None,
        "trace_id": pair.place[1] or None,
        "transfers": pair.transfers,
        "first": format_time(pair.first_unix_nano),
        "first_unix_nano": pair.first_unix_nano,
        "last": format_time(pair.last_unix_nano),
        "last_unix_nano": pair.last_unix_nano,
    }
