"""What the rules ask of every span, computed once: its fields, its owner, and whether it is a model call or a tool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from collector.processors.agent_transfers.model import Attributes, Span
from collector.processors.agent_transfers.names import clean
from collector.processors.agent_transfers.semantics import AgentFields, normalise

_KIND_SUFFIXES = ("kind", "type", "operation", "operation.name", ".op", "operation_name")
_KINDS = {
    "llm": "chat",
    "chat": "chat",
    "generation": "chat",
    "llm_call": "chat",
    "chat_completion": "chat",
    "agent": "invoke_agent",
    "agent_run": "invoke_agent",
    "invoke_agent": "invoke_agent",
    "subagent": "invoke_agent",
    "sub_agent": "invoke_agent",
    "tool_call": "execute_tool",
    "execute_tool": "execute_tool",
    "tool": "execute_tool",
    "handoff": "handoff",
    "agent_handoff": "handoff",
    "agent_transfer": "handoff",
}


class Strength(IntEnum):
    """How sure a span is a run of the agent it names."""

    STEP = 1
    """A model call that names the agent it is made for: evidence of a run nobody recorded as a span."""
    NODE = 2
    """A node of a graph or a named call, which may be plain code: believed only with a model call of its own."""
    WEAK = 3
    """Said to be an agent, but named by its span only: needs a model call of its own where calls are seen at all."""
    STRONG = 4
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
    if not fields.operation and (found := _operation_by_any_key(span.attributes)):
        fields = replace(fields, operation=found)
    is_llm = fields.operation in {"chat", "text_completion"}
    named_run = span.name.startswith(("invoke_agent", "agent_run"))
    is_tool = fields.operation == "execute_tool" or bool(fields.tool_name and not is_llm and not named_run)
    return Facts(fields=fields, owner=clean(fields.agent_name), is_llm=is_llm and not is_tool, is_tool=is_tool)


def _operation_by_any_key(attributes: Attributes) -> str:
    """Read the operation in an unknown convention: some key that ends like a kind has a value that means only one."""
    for key in sorted(attributes):
        value = attributes[key]
        if key.lower().endswith(_KIND_SUFFIXES) and isinstance(value, str) and value.lower() in _KINDS:
            return _KINDS[value.lower()]
    return ""


def all_facts(spans: Sequence[Span]) -> tuple[Facts, ...]:
    """Compute the facts of all spans, in their order."""
    return tuple(facts_of(span) for span in spans)
