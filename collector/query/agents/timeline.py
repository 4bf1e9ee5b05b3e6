"""What happened in a conversation, as one list in the order of time. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from collector.query.agents.shown_calls import shown_model_calls, shown_tool_calls
from collector.query.agents.span_tree import Key, Node, SpanTree
from collector.query.parse.times import format_time

SPENT = ("input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens", "cost_usd")
_STATUS_ERROR = 2
_ERROR_SEVERITY = 17
_SUMMARY_CHARS = 300
# Of what begins at the same time, what contains the rest comes first.
_ORDER = ("agent_run", "tool_call", "model_call", "transfer", "error", "log")

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sources:
    """Everything that is known of the traces of a conversation.

    `runs`, `agent_spans` and `transfers` are rows of AGENT_RUNS, AGENT_SPANS and TRANSFERS; `logs` are rows as
    `collector.query.log_rows` makes them.
    """

    nodes: Sequence[Node]
    runs: Sequence[Row]
    agent_spans: Sequence[Row]
    transfers: Sequence[Row]
    logs: Sequence[Row]


def entries(sources: Sources) -> list[dict[str, Any]]:
    """Return one entry for each agent run, model call, tool call, transfer, failed span and log record, oldest first.

    A failed span that is a run or a call already is not told twice.
    """
    named = {(run["trace_id"], run["span_id"]): run["agent_name"] for run in sources.runs if run["agent_name"]}
    tree = SpanTree({node.key: node for node in sources.nodes}, named)
    found = [_run(run) for run in sources.runs if run["agent_name"]]
    told = set(named)
    for shown, entry in (
        (shown_tool_calls(sources.agent_spans, tree, named), _tool_call),
        (shown_model_calls(sources.agent_spans, tree), _model_call),
    ):
        for span in sources.agent_spans:
            if _key(span) in shown and _key(span) not in told:
                told.add(_key(span))
                found.append(entry(span, tree))
    found += [_error(node, tree) for node in sources.nodes if _is_news(node, told)]
    found += [_transfer(transfer) for transfer in sources.transfers]
    found += [_log(record, tree) for record in sources.logs]
    return sorted(found, key=_place)


def totals(sources: Sources) -> dict[str, Any]:
    """Return what the conversation took in all; tokens and cost are the runs', so each model call counts once."""
    runs, transfers = sources.runs, sources.transfers
    return {
        "agent_runs": sum(bool(run["agent_name"]) for run in runs),
        "model_calls": sum(run["model_calls"] for run in runs),
        "tool_calls": sum(run["tool_calls"] for run in runs),
        "transfers": sum(transfer["kind"] != "return" for transfer in transfers),
        "transfers_completed": sum(transfer["kind"] != "return" and transfer["completed"] for transfer in transfers),
        "spans": len(sources.nodes),
        "span_errors": sum(node.status_code == _STATUS_ERROR for node in sources.nodes),
        **{name: _sum(run[name] for run in runs) for name in SPENT},
    }


def _sum(parts: Iterable[int | float | None]) -> int | float | None:
    known = [part for part in parts if part is not None]
    return sum(known) if known else None


def _is_news(node: Node, told: set[Key]) -> bool:
    return node.status_code == _STATUS_ERROR and node.key not in told


def _key(row: Row) -> Key:
    return row["trace_id"], row["span_id"]


def _place(entry: Row) -> tuple[int, int, str, str]:
    ids = (entry["trace_id"] or "", entry["span_id"] or "")
    return entry["time_unix_nano"], _ORDER.index(entry["type"]), *ids


def _entry(kind: str, time: int, ids: Key, summary: str, **more: Any) -> dict[str, Any]:
    members: dict[str, Any] = {
        "type": kind,
        "time": format_time(time),
        "time_unix_nano": time,
        "duration_ns": None,
        "agent": None,
        "service": None,
        "trace_id": ids[0].hex() or None,
        "span_id": ids[1].hex() or None,
        "summary": _short(summary),
        "error": False,
        **dict.fromkeys(SPENT),
    }
    return members | more


def _run(run: Row) -> dict[str, Any]:
    calls = f"{_count(run['model_calls'], 'model call')}, {_count(run['tool_calls'], 'tool call')}"
    return _entry(
        "agent_run",
        run["start_time_unix_nano"],
        _key(run),
        f"{run['agent_name']} ran{' and failed' if run['error'] else ''}: {calls}",
        duration_ns=run["duration_ns"],
        agent=run["agent_name"],
        service=run["service_name"],
        error=run["error"],
        **{name: run[name] for name in SPENT},
    )


def _tool_call(span: Row, tree: SpanTree) -> dict[str, Any]:
    node = tree.nodes.get(_key(span))
    name = span["tool_name"] or (node.name if node else "a tool")
    return _span_entry("tool_call", span, tree, f"{name}{_failure(node)}")


def _model_call(span: Row, tree: SpanTree) -> dict[str, Any]:
    node = tree.nodes.get(_key(span))
    asked = " ".join(word for word in (span["operation"], span["model"]) if word)
    counts = ((span["input_tokens"], "tokens in"), (span["output_tokens"], "out"))
    spent = ", ".join(f"{count} {what}" for count, what in counts if count is not None)
    summary = f"{asked}{': ' if spent else ''}{spent}{_failure(node)}"
    return _span_entry("model_call", span, tree, summary, **{name: span[name] for name in SPENT})


def _span_entry(kind: str, span: Row, tree: SpanTree, summary: str, **more: Any) -> dict[str, Any]:
    return _entry(
        kind,
        span["start_time_unix_nano"],
        _key(span),
        summary,
        duration_ns=span["duration_ns"],
        agent=tree.agent_of(_key(span)) or span["agent_name"] or None,
        service=span["service_name"],
        error=span["status_code"] == _STATUS_ERROR,
        **more,
    )


def _error(node: Node, tree: SpanTree) -> dict[str, Any]:
    return _entry(
        "error",
        node.start_time_unix_nano,
        node.key,
        f"{node.name}{_failure(node)}",
        duration_ns=node.duration_ns,
        agent=tree.agent_of(node.key) or None,
        service=node.service_name,
        error=True,
    )


def _transfer(transfer: Row) -> dict[str, Any]:
    names = f"{transfer['from_agent'] or '(unknown)'} → {transfer['to_agent'] or '(unknown)'}"
    state = "" if transfer["completed"] else ", never ran"
    reason = f": {transfer['reason']}" if transfer["reason"] else ""
    return _entry(
        "transfer",
        transfer["time_unix_nano"],
        (transfer["trace_id"], transfer["trigger_span_id"]),
        f"{names} ({transfer['kind'].replace('_', ' ')}{state}){reason}",
        agent=transfer["from_agent"] or None,
        transfer={
            name: transfer[name]
            for name in ("id", "from_agent", "to_agent", "kind", "completed", "signal", "rule", "confidence")
        },
    )


def _log(record: Row, tree: SpanTree) -> dict[str, Any]:
    ids = bytes.fromhex(record["trace_id"] or ""), bytes.fromhex(record["span_id"] or "")
    body = record["body"] if isinstance(record["body"], str) else orjson.dumps(record["body"]).decode()
    return _entry(
        "log",
        record["time_unix_nano"],
        ids,
        body if record["body"] is not None else record["event_name"] or "",
        agent=tree.agent_of(ids) or None,
        service=record["service"],
        error=record["severity_number"] >= _ERROR_SEVERITY,
        severity=record["severity"],
    )


def _failure(node: Node | None) -> str:
    if node is None or node.status_code != _STATUS_ERROR:
        return ""
    return f" failed: {node.status_message}" if node.status_message else " failed"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _short(text: str) -> str:
    """Return the text as one line of a bounded length."""
    line = " ".join(text[: 4 * _SUMMARY_CHARS].split())
    return line if len(line) <= _SUMMARY_CHARS else f"{line[: _SUMMARY_CHARS - 1]}…"
