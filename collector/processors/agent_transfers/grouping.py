"""Which traces make one group, and which rows are worth grouping at all. Pure; shared with the ingest side.

Traces joined by span links always belong together. Traces of one conversation belong together only when the
conversation id looks globally unique, one starts at most `JOIN_GAP_NANO` after the other ended, and both start in the
same hour: people reuse ids like `thread-1` for unrelated runs, and a conversation may go on for days. The hour keeps
a chain bounded and the cut the same whatever part of the conversation is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from collector.processors.agent_transfers.model import Span
from collector.processors.agent_transfers.semantics import normalise

JOIN_GAP_NANO: Final = 10 * 1_000_000_000
JOIN_BUCKET_NANO: Final = 3_600 * 1_000_000_000
MAX_GROUP_TRACES: Final = 256
MAX_GROUP_SPANS: Final = 20_000
TRACELESS_LOG_GAP_NANO: Final = 1_000_000_000
"""Log records without a trace, of one service, belong to one group while their neighbours are closer than this."""

_DIGITS = re.compile(r"\d")
_MIN_UNIQUE_CHARS = 16
_MIN_UNIQUE_DIGITS = 4

AGENT_KEY_PREFIXES: Final = (
    "gen_ai.", "agent.", "openinference.", "graph.node.", "llm.", "traceloop.", "langgraph", "langsmith.", "langfuse.",
    "crewai.", "crew_", "smolagents.", "agno.", "ai.telemetry.", "ai.agent.", "ai.toolCall.", "gcp.vertex.agent.",
    "ag2.", "mastra.", "haystack.agent.", "haystack.component.", "pydantic_ai.", "a2a.", "microsoft.a365.",
    "semantic_kernel.", "executor.", "message.destination_executor", "handoff.", "agent_framework.", "agent_handoff",
    "beeai.", "openai.agent", "dify.", "mcp.",
)  # fmt: skip
"""A span that has a key with one of these prefixes is agentic."""

AGENT_ATTRIBUTE_KEYS: Final = frozenset(
    {
        "agent_name", "agent_id", "agentName", "agentId", "from_agent", "to_agent", "source_agent", "target_agent",
        "agent_role", "sdk_span_type", "mlflow.spanType", "ai.operationId", "sentry.op", "logfire.msg", "tool.name",
        "tool_name", "tool.agent_role", "handoffs", "message.source_id", "message.target_id",
    }
)  # fmt: skip
"""A span that has one of these keys is agentic. `logfire.msg` is here because that SDK exports log lines as spans."""

AGENT_KEY_PATTERN: Final = (
    r"(?i)(?:^|[._])(?:from|to|source|target|sub|parent|next|caller)_?agents?(?:$|[._]|name$|id$)|"
    r"(?:^|\.)agents?(?:$|[._]|name$|id$)|handoff|hand_off|delegation|lc_agent_name|langgraph_"
)
"""RE2 syntax, on attribute keys: finds the conventions nobody listed. `user_agent` keys do not match."""

AGENT_NAME_PATTERN: Final = (
    r"(?i)(?:agent|handoff|hand-off|hand_off|transfer_to_|transferring to|delegat|swarm|\.kickoff$|_execute_core$|"
    r"^executor\.process |^message\.send$|→| -> |execute_tool|invoke_workflow|workflow\.run)"
)
"""RE2 syntax. A span whose name matches is agentic even without a known attribute key."""

AGENT_SCOPE_PATTERN: Final = (
    r"(?i)(?:agent|crewai|autogen|ag2|langchain|langgraph|llama_?index|openinference|traceloop|pydantic-ai|strands|"
    r"gcp\.vertex|semantic_?kernel|haystack|smolagents|mastra|beeai|langfuse|langsmith|swarm)"
)
"""RE2 syntax, on scope names."""

TRANSFER_LOG_PATTERN: Final = (
    r"(?i)(?:agent[\s_.-]{0,4}(?:transfer|handoff|hand-off|delegation)|transferring\s+to\s+agent|delegates\s+to\s+agent|"
    r"from_agent|to_agent|handoff)"
)
"""RE2 syntax. A log record whose body text (strings as they are, maps as JSON) does not match cannot be a transfer.
Records that set `agent.from`/`agent.to`-like attributes say so in the body or in the event name as well."""


def log_prefilter(patterns: Iterable[str] = ()) -> str:
    """Return `TRANSFER_LOG_PATTERN` widened by configured line patterns (regular expressions as the user wrote them).

    RE2 syntax as well: what RE2 lacks is refused when the patterns are compiled.
    """
    return "|".join((TRANSFER_LOG_PATTERN, *(f"(?:{pattern})" for pattern in patterns)))


@dataclass(frozen=True, slots=True)
class TraceSummary:
    """What joining needs of one trace: its time range, the traces its links point at, its joinable conversations."""

    trace_id: bytes
    start_time_unix_nano: int
    end_time_unix_nano: int
    links: frozenset[bytes]
    conversations: frozenset[str]


def is_unique_id(value: str) -> bool:
    """Tell an id made by a generator (UUID, ULID, `thread_9f…`) from one made by a person (`thread-1`, `demo`)."""
    return len(value) >= _MIN_UNIQUE_CHARS and len(_DIGITS.findall(value)) >= _MIN_UNIQUE_DIGITS


def conversation_keys(span: Span) -> set[str]:
    """Return the span's conversation id if it may join traces; an empty set otherwise."""
    found = normalise(span).conversation_id
    return {found} if is_unique_id(found) else set()


def link_targets(span: Span) -> set[bytes]:
    """Return the ids of the other traces a span links to."""
    return {link.trace_id for link in span.links if link.trace_id and link.trace_id != span.trace_id}


def summarise(spans: Sequence[Span]) -> TraceSummary:
    """Summarise one trace; all spans must carry the same trace id."""
    links: set[bytes] = set()
    conversations: set[str] = set()
    for span in spans:
        links |= link_targets(span)
        conversations |= conversation_keys(span)
    return TraceSummary(
        trace_id=spans[0].trace_id,
        start_time_unix_nano=min(span.start_time_unix_nano for span in spans),
        end_time_unix_nano=max(span.end_time_unix_nano for span in spans),
        links=frozenset(links),
        conversations=frozenset(conversations),
    )


def form_groups(traces: Iterable[TraceSummary]) -> list[tuple[bytes, ...]]:
    """Partition traces into groups; each group and the list are in a fixed order.

    Links to traces that are not given still join the traces that share them. A group larger than `MAX_GROUP_TRACES`
    is cut into runs of that many traces in order of their start.
    """
    known = sorted(
        {trace.trace_id: trace for trace in traces}.values(), key=lambda t: (t.start_time_unix_nano, t.trace_id)
    )
    joined = _DisjointSets()
    for trace in known:
        joined.add(trace.trace_id)
        for target in trace.links:
            joined.union(trace.trace_id, target)
    for left, right in _neighbours(known):
        joined.union(left, right)
    groups: dict[bytes, list[bytes]] = {}
    for trace in known:
        groups.setdefault(joined.root(trace.trace_id), []).append(trace.trace_id)
    return [
        tuple(members[at : at + MAX_GROUP_TRACES])
        for members in groups.values()
        for at in range(0, len(members), MAX_GROUP_TRACES)
    ]


def _neighbours(known: Sequence[TraceSummary]) -> Iterable[tuple[bytes, bytes]]:
    """Yield the pairs of traces that follow each other closely enough in one conversation."""
    last: dict[str, TraceSummary] = {}
    for trace in known:
        for key in sorted(trace.conversations):
            before = last.get(key)
            if before is not None and follows(
                before.end_time_unix_nano, before.start_time_unix_nano, trace.start_time_unix_nano
            ):
                yield before.trace_id, trace.trace_id
            if before is None or trace.end_time_unix_nano >= before.end_time_unix_nano:
                last[key] = trace


def follows(end: int, start: int, next_start: int) -> bool:
    """Tell whether a trace that starts at `next_start` directly follows one that ran from `start` to `end`."""
    same_bucket = start // JOIN_BUCKET_NANO == next_start // JOIN_BUCKET_NANO
    return same_bucket and next_start - end <= JOIN_GAP_NANO


def link_components(spans: Iterable[Span]) -> dict[bytes, bytes]:
    """Map every trace id to the representative of the traces joined with it by span links."""
    joined = _DisjointSets()
    traces: set[bytes] = set()
    for span in spans:
        traces.add(span.trace_id)
        joined.add(span.trace_id)
        for target in link_targets(span):
            joined.union(span.trace_id, target)
    return {trace: joined.root(trace) for trace in traces}


class _DisjointSets:
    """Union-find whose representative is the smallest id, so that it does not depend on the order of unions."""

    def __init__(self) -> None:
        self._above: dict[bytes, bytes] = {}

    def add(self, item: bytes) -> None:
        self._above.setdefault(item, item)

    def root(self, item: bytes) -> bytes:
        self.add(item)
        top = item
        while self._above[top] != top:
            top = self._above[top]
        while self._above[item] != top:
            self._above[item], item = top, self._above[item]
        return top

    def union(self, left: bytes, right: bytes) -> None:
        first, second = sorted((self.root(left), self.root(right)))
        self._above[second] = first
