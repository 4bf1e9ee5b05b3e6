"""`GET /api/v1/conversations/{id}`: everything that happened in one conversation, bounded."""

from collections.abc import Sequence
from typing import Any

from collector.query.agents.conversations import CONVERSATION_EXAMPLE, times
from collector.query.agents.span_tree import COLUMNS, Node, read_nodes
from collector.query.agents.timeline import Sources, entries, totals
from collector.query.dependencies import QueryDependencies
from collector.query.log_rows import plain_rows
from collector.query.page_limit import checked_limit
from collector.query.problems import Problem
from collector.query.ranges import EVERYTHING
from collector.query.trace_reads import span_tables
from storage.agents import RunQuery, TransferQuery
from storage.queries import LogQuery

MAX_TRACES = 500
MAX_SPANS = 50_000
MAX_RUNS = 10_000
MAX_TRANSFERS = 10_000

TIMELINE_EXAMPLE: dict[str, Any] = {
    **CONVERSATION_EXAMPLE,
    "traces": ["000102030405060708090a0b0c0d0e0f"],
    "services": ["agent-orchestrator"],
    "totals": {
        "agent_runs": 3,
        "model_calls": 7,
        "tool_calls": 6,
        "transfers": 3,
        "transfers_completed": 3,
        "spans": 41,
        "span_errors": 1,
        "input_tokens": 4821,
        "output_tokens": 612,
        "cached_input_tokens": 1607,
        "reasoning_tokens": None,
        "cost_usd": None,
    },
    "entries": [
        {
            "type": "model_call",
            "time": "2026-01-31T12:00:00.123456789Z",
            "time_unix_nano": 1769860800123456789,
            "duration_ns": 912000000,
            "agent": "triage_agent",
            "service": "agent-orchestrator",
            "trace_id": "000102030405060708090a0b0c0d0e0f",
            "span_id": "0001020304050607",
            "summary": "chat gpt-5-mini: 812 tokens in, 64 out",
            "error": False,
            "input_tokens": 812,
            "output_tokens": 64,
            "cached_input_tokens": 270,
            "reasoning_tokens": None,
            "cost_usd": None,
        }
    ],
    "truncated": False,
}


def timeline(deps: QueryDependencies, conversation_id: str, limit: int) -> dict[str, Any]:
    """Return the conversation; at most `limit` entries, the oldest, and `truncated` when there is more.

    Raises: Problem when no span carries the id.
    """
    checked_limit(limit, deps.limits.max_timeline_entries)
    ids = deps.storage.traces_of_conversation(conversation_id, MAX_TRACES + 1) if conversation_id else []
    if not ids:
        raise _unknown()
    nodes, whole = _nodes(deps, ids[:MAX_TRACES])
    sources = _sources(deps, ids[:MAX_TRACES], nodes, limit)
    if not (sources.nodes or sources.agent_spans or sources.runs):  # retention was quicker than these reads
        raise _unknown()
    cut = len(ids) > MAX_TRACES or not whole or _is_full(sources, limit)
    found = entries(sources)
    return {
        "conversation_id": conversation_id,
        **_span_of_time(sources),
        "traces": [trace_id.hex() for trace_id in ids[:MAX_TRACES]],
        "services": sorted({node.service_name for node in nodes}),
        "agents": sorted({run["agent_name"] for run in sources.runs if run["agent_name"]}),
        "users": sorted({row["user_id"] for row in (*sources.agent_spans, *sources.runs) if row["user_id"]}),
        "totals": totals(sources),
        "entries": found[:limit],
        "truncated": cut or len(found) > limit,
    }


def _unknown() -> Problem:
    return Problem("not-found", "no span carries this conversation id", parameter="conversation_id")


def _nodes(deps: QueryDependencies, ids: Sequence[bytes]) -> tuple[list[Node], bool]:
    """Return the spans of the traces, and whether these are all."""
    nodes: list[Node] = []
    for spans in span_tables(deps.storage, ids, COLUMNS):
        if len(nodes) + spans.num_rows > MAX_SPANS:
            nodes += read_nodes(spans.slice(0, MAX_SPANS - len(nodes)))
            return nodes, False
        nodes += read_nodes(spans)
    return nodes, True


def _sources(deps: QueryDependencies, ids: Sequence[bytes], nodes: Sequence[Node], limit: int) -> Sources:
    store = deps.storage
    logs = store.find_logs(LogQuery(EVERYTHING, trace_ids=ids, limit=limit + 1, oldest_first=True))
    return Sources(
        nodes=nodes,
        runs=store.find_runs(RunQuery(trace_ids=ids, limit=MAX_RUNS)).to_pylist(),
        agent_spans=store.agent_spans(ids, MAX_SPANS).to_pylist(),
        transfers=store.find_transfers(TransferQuery(trace_ids=ids, limit=MAX_TRANSFERS)).to_pylist(),
        logs=plain_rows(logs.records),
    )


def _is_full(sources: Sources, limit: int) -> bool:
    """Tell whether a source may have more than was asked for."""
    return (
        len(sources.runs) >= MAX_RUNS
        or len(sources.agent_spans) >= MAX_SPANS
        or len(sources.transfers) >= MAX_TRANSFERS
        or len(sources.logs) > limit
    )


def _span_of_time(sources: Sources) -> dict[str, Any]:
    """Return when it began and ended; its spans may be gone before the rows made of them."""
    moments = [(node.start_time_unix_nano, node.duration_ns) for node in sources.nodes]
    rows = (*sources.agent_spans, *sources.runs)
    moments += [(row["start_time_unix_nano"], row["duration_ns"]) for row in rows]
    end = max(start + max(duration, 0) for start, duration in moments)
    return times(min(start for start, _ in moments), min(end, 2**64 - 1))
