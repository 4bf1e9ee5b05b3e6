"""What the rules ask of every span, computed once: its fields, its owner, and whether it is a model call or a tool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from collector.processors.agent_transfers.model import Span
from collector.processors.agent_transfers.names import clean
from collector.processors.agent_transfers.semantics import AgentFields, normalise


class Strength(IntEnum):
    """How sure a span is a run of the agent it names."""

    STEP = 1
    """A model call that names the agent it is made for: evidence of a run nobody recorded as a span."""
    WEAK = 2
    """Looks like an agent (a graph node, a span named after one): believed only with a model call of its own."""
    STRONG = 3
    """The telemetry says it is an agent run."""


@dataclass(frozen=True, slots=True)
class Run:
    """A span that runs an agent."""

    name: str
    strength: Strength


@dataclass(frozen=True, slots=True)
class Facts:
    """One span's normalised facts. `owner` is the agent the span says it works for, placeholders left out."""

    fields: AgentFields
    owner: str
    is_llm: bool
    is_tool: bool


def facts_of(span: Span) -> Facts:
    """Compute a span's facts."""
    fields = normalise(span)
    is_llm = fields.operation in {"chat", "text_completion"}
    named_run = span.name.startswith(("invoke_agent", "agent_run"))
    is_tool = fields.operation == "execute_tool" or bool(fields.tool_name and not is_llm and not named_run)
    return Facts(fields=fields, owner=clean(fields.agent_name), is_llm=is_llm and not is_tool, is_tool=is_tool)


def all_facts(spans: Sequence[Span]) -> tuple[Facts, ...]:
    """Compute the facts of all spans, in their order."""
    return tuple(facts_of(span) for span in spans)
