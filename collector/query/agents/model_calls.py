"""Which spans of model calls are shown: two instrumentations often report one call, nested. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from collector.processors.agent_transfers.semantics_table import MODEL_CALLS
from collector.query.agents.span_tree import Key, SpanTree


def shown_calls(agent_spans: Sequence[Mapping[str, Any]], tree: SpanTree) -> set[Key]:
    """Return the spans that stand for one model call each, of AGENT_SPANS rows.

    The innermost that says what it spent; where none does, the innermost. Calls made inside a tool call are calls of
    their own. The same choice as that of AGENT_RUNS, and spans without figures that only their name calls so.
    """
    operations = {(span["trace_id"], span["span_id"]): span["operation"] for span in agent_spans}
    calls = {key for key, operation in operations.items() if operation in MODEL_CALLS}
    counted = {
        (span["trace_id"], span["span_id"])
        for span in agent_spans
        if span["operation"] in MODEL_CALLS
        and any(span[name] is not None for name in ("input_tokens", "output_tokens", "cost_usd"))
    }
    outer = _around(counted, operations, tree)
    chosen = counted - outer
    silent = calls - counted - outer - _around(calls, operations, tree)
    return chosen | {key for key in silent if counted.isdisjoint(_above(key, operations, tree))}


def _around(keys: Iterable[Key], operations: Mapping[Key, str], tree: SpanTree) -> set[Key]:
    """Return the spans above the given ones, up to the tool call that each is made in."""
    found: set[Key] = set()
    for key in keys:
        for above in _above(key, operations, tree):
            if above in found:
                break
            found.add(above)
    return found


def _above(key: Key, operations: Mapping[Key, str], tree: SpanTree) -> Iterable[Key]:
    for above in tree.above(key):
        if operations.get(above) == "execute_tool":
            return
        yield above
