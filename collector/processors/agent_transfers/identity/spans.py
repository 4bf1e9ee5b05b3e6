"""Agent runs told by one span alone: its kind or operation with a name, its name's pattern, or an agent-name key."""

from __future__ import annotations

import re

from collector.processors.agent_transfers.identity.facts import Facts, Run, Strength
from collector.processors.agent_transfers.model import Attributes, Span
from collector.processors.agent_transfers.names import MAX_NAME_CHARS, clean, normal
from collector.processors.agent_transfers.values import first_text, text

# Only these say outright that an agent runs; the whole pattern must match.
_RUN_NAMES = (
    re.compile(r"^invoke_agent (.{1,200})$"),
    re.compile(r"^agent_run \[(.{1,200})\]$"),
    re.compile(r"^[Aa]gent run:? ['\"](.{1,200})['\"]$"),
    re.compile(r"^(.{1,200})\._execute_core$"),
    re.compile(r"^agent_collaborator\[(.{1,200})\]$"),
    re.compile(r"^(?:run_agent|agent\.run|AgentRun)[ :](.{1,200})$"),
)
# A method called on the agent: believed on spans of agent kind only.
_METHOD_SUFFIX = re.compile(
    r"(?:\.(?:a?run|run_stream|run_async|a?invoke|a?stream|on_messages(?:_stream)?|a?generate_reply|agent|workflow|kickoff"
    r"|a?initiate_chat|execute|generate|call|process|handle|respond|chat))+$"
)
_ID_LIKE = re.compile(r"^(?:[0-9a-f]{8,}|[0-9a-f-]{32,}|(?:agent|asst|llm|cycle|node)_[0-9a-zA-Z-]{8,})$")
_NAME_SUFFIXES = ("agent.name", "agent_name", "agentname", "agent.role", "agent.key", ".agent", "graph.node.id")
_VERCEL_OUTER = re.compile(r"^ai\.(?:generateText|streamText|generateObject|streamObject|agent\.\w+)$")


def run_of(span: Span, facts: Facts) -> Run | None:
    """Return the agent run this span is by itself, if it is one."""
    if facts.fields.operation == "create_agent" or span.attributes.get("logfire.span_type") == "log":
        return None
    if named := _from_name(span, facts):
        return named
    if facts.is_tool or facts.is_llm:
        return None
    if facts.fields.operation == "invoke_agent":
        return _from_kind(span, facts)
    return _from_keys(span, facts)


def _from_name(span: Span, facts: Facts) -> Run | None:
    message = text(span.attributes.get("logfire.msg"))
    for pattern in _RUN_NAMES:
        found = pattern.match(span.name) or (pattern.match(message) if message else None)
        if found:
            name = facts.owner or clean(first_text(span.attributes, ("graph.node.id", "name"))) or clean(found.group(1))
            return Run(name, Strength.STRONG) if name else None
    if span.name in {"agent run", "agent_run"} and facts.owner:
        return Run(facts.owner, Strength.STRONG)
    return None


def _from_kind(span: Span, facts: Facts) -> Run | None:
    if facts.owner:
        return Run(facts.owner, Strength.STRONG)
    if "langchain" in span.scope_name:  # its instrumentors call anything with "agent" in its name an agent
        return None
    if text(span.attributes.get("traceloop.span.kind")) in {"task", "workflow"}:  # marked invoke_agent all the same
        return None
    node = first_text(span.attributes, ("graph.node.name", "graph.node.id"))
    if node and not _ID_LIKE.match(node):
        return Run(name, Strength.STRONG) if (name := clean(node)) else None
    entity = first_text(span.attributes, ("traceloop.entity.name", "langsmith.trace.name")) or _by_any_key(span)
    name = clean(entity or _without_method(span.name))
    return Run(name, Strength.WEAK) if name else None


def _without_method(name: str) -> str:
    """Leave a name alone that is cut anyway: taking suffixes off one of a megabyte takes hours."""
    return _METHOD_SUFFIX.sub("", name) if len(name) <= 2 * MAX_NAME_CHARS else name


def _by_any_key(span: Span) -> str:
    """Return what any key that ends like an agent's name says, in a convention nobody described."""
    return max((text(span.attributes[key]) for key in span.attributes if _is_name_key(key)), default="")


def _from_keys(span: Span, facts: Facts) -> Run | None:
    attributes = span.attributes
    if _VERCEL_OUTER.match(text(attributes.get("ai.operationId"))):
        name = facts.owner or clean(text(attributes.get("ai.telemetry.functionId")))
        return Run(name, Strength.NODE) if name else None
    if facts.fields.operation in {"", "task", "chain", "workflow"} and facts.owner and _names_agent(attributes):
        inside = normal(facts.owner) in normal(span.name) or "agent" in span.name.lower()
        return Run(facts.owner, Strength.STRONG if inside and not facts.fields.operation else Strength.WEAK)
    if not facts.fields.operation and (name := _unknown_name(span)):
        return Run(name, Strength.WEAK)
    return None


def _names_agent(attributes: Attributes) -> bool:
    """Leave out names that only came with a framework's metadata: every span below carries those."""
    return any(key in attributes for key in ("gen_ai.agent.name", "agent.name", "agent_name", "agentName"))


def _unknown_name(span: Span) -> str:
    """Read a convention nobody described: a key that ends like an agent's name, of an agent the span is named after."""
    named = [
        value
        for key, value in span.attributes.items()
        if isinstance(value, str) and 0 < len(value) <= MAX_NAME_CHARS and _is_name_key(key)
    ]
    return next((name for value in sorted(named) if (name := clean(value)) and normal(name) in normal(span.name)), "")


def _is_name_key(key: str) -> bool:
    lowered = key.lower()
    return lowered.endswith(_NAME_SUFFIXES) and "user_agent" not in lowered and "useragent" not in lowered
