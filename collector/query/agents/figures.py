"""`GET /api/v1/agents`: what each agent did, spent, took over and handed on."""

from collections.abc import Iterable, Mapping
from typing import Any

from collector.query.dependencies import QueryDependencies
from collector.query.parse.times import format_time
from storage.agents import RunQuery, TransferQuery
from storage.queries import TimeRange

MAX_AGENTS = 1_000
MAX_EDGES = 10_000

_COUNTS = ("runs", "errors", "model_calls", "tool_calls")  # 0 without a run; what is spent is null without a figure
_SPENT = ("input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens", "cost_usd")
_LATENCIES = {"p50": "duration_p50_ns", "p90": "duration_p90_ns", "p99": "duration_p99_ns"}

AGENT_EXAMPLE: dict[str, Any] = {
    "agent": "billing_agent",
    "runs": 12,
    "errors": 1,
    "duration_ns": {"p50": 2100000000, "p90": 5200000000, "p99": 9000000000},
    "model_calls": 37,
    "tool_calls": 30,
    "input_tokens": 48211,
    "output_tokens": 6120,
    "cached_input_tokens": 16070,
    "reasoning_tokens": None,
    "cost_usd": 0.41,
    "models": ["gpt-5"],
    "services": ["agent-orchestrator"],
    "transfers_in": {"transfers": 12, "completed": 12, "kinds": {"handoff": {"transfers": 12, "completed": 12}}},
    "transfers_out": {"transfers": 9, "completed": 8, "kinds": {"handoff": {"transfers": 9, "completed": 8}}},
    "first_seen": "2026-01-31T12:00:00.000000000Z",
    "first_seen_unix_nano": 1769860800000000000,
    "last_seen": "2026-01-31T13:00:00.000000000Z",
    "last_seen_unix_nano": 1769864400000000000,
}


def agents(deps: QueryDependencies, time: TimeRange) -> dict[str, Any]:
    """Return the figures of every agent that ran, took over or handed on in the range, most runs first."""
    figures = deps.storage.agent_figures(RunQuery(time=time, limit=MAX_AGENTS)).to_pylist()
    edges = deps.storage.transfer_edges(TransferQuery(time=time, limit=MAX_EDGES)).to_pylist()
    rows = agent_rows(figures, edges)
    truncated = len(figures) == MAX_AGENTS or len(edges) == MAX_EDGES or len(rows) > MAX_AGENTS
    return {"agents": rows[:MAX_AGENTS], "truncated": truncated}


def agent_rows(figures: Iterable[Mapping[str, Any]], edges: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one row an agent, from AGENT_FIGURES and TRANSFER_EDGES rows.

    Agents that only transfers tell of (in log records, or asked for in vain) have no runs and come last; the agent with
    an empty name stands for sources that are not known.
    """
    rows = {row["agent_name"]: _Row(row) for row in figures}
    for edge in edges:
        for name, way in ((edge["from_agent"], "transfers_out"), (edge["to_agent"], "transfers_in")):
            rows.setdefault(name, _Row({"agent_name": name})).add(way, edge)
    return [row.answer() for row in rows.values()]


class TransferCounts:
    """How many transfers there were, and how many of them were completed: in all and by kind."""

    def __init__(self) -> None:
        self._all = [0, 0]
        self._by_kind: dict[str, list[int]] = {}

    def add(self, edge: Mapping[str, Any]) -> None:
        """Count a TRANSFER_EDGES row."""
        for counts in (self._all, self._by_kind.setdefault(edge["kind"], [0, 0])):
            counts[0] += edge["transfers"]
            counts[1] += edge["completed"]

    def answer(self) -> dict[str, Any]:
        """Return the counts for JSON."""
        kinds = {kind: _named(counts) for kind, counts in sorted(self._by_kind.items())}
        return {**_named(self._all), "kinds": kinds}


class _Row:
    """One agent; `figures` is an AGENT_FIGURES row, or its name alone."""

    def __init__(self, figures: Mapping[str, Any]) -> None:
        self._figures = figures
        self._ways = {"transfers_in": TransferCounts(), "transfers_out": TransferCounts()}
        self._times = [figures[name] for name in ("first_seen_unix_nano", "last_seen_unix_nano") if name in figures]

    def add(self, way: str, edge: Mapping[str, Any]) -> None:
        self._ways[way].add(edge)
        self._times += [edge["first_seen_unix_nano"], edge["last_seen_unix_nano"]]

    def answer(self) -> dict[str, Any]:
        figures, first, last = self._figures, min(self._times), max(self._times)
        return {
            "agent": figures["agent_name"],
            **{name: figures.get(name, 0) for name in _COUNTS},
            "duration_ns": {name: figures.get(column) for name, column in _LATENCIES.items()},
            **{name: figures.get(name) for name in _SPENT},
            "models": figures.get("models", []),
            "services": figures.get("services", []),
            **{way: counts.answer() for way, counts in self._ways.items()},
            "first_seen": format_time(first),
            "first_seen_unix_nano": first,
            "last_seen": format_time(last),
            "last_seen_unix_nano": last,
        }


def _named(counts: list[int]) -> dict[str, int]:
    return {"transfers": counts[0], "completed": counts[1]}
