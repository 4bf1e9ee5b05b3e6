"""One span's agent fields, whatever convention it was written in; and which model calls count."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from collector.processors.agent_transfers.model import Attributes, Span, Value
from collector.processors.agent_transfers.semantics_table import (
    ASSOCIATION,
    FIELD_KEYS,
    MAX_COUNT,
    MODEL_CALLS,
    OPERATIONS,
)
from collector.processors.agent_transfers.values import first_text, number, parse_object, text, unquoted

_WORDS = re.compile(r"[^a-z0-9]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_OPERATION_PREFIX = re.compile(r"^(?:ai|gen_ai|genai|llm|agents?)_")
# Conventions that put the operation into the span name only; the target follows the operation.
_NAMED_OPERATION = re.compile(
    r"^(invoke_agent|create_agent|execute_tool|chat|generate_content|text_completion|embeddings|invoke_workflow)\b"
)
# The kind attribute outranks the operation of an older layer below it (OpenInference over native spans).
_KIND_KEYS = ("langfuse.observation.type", "openinference.span.kind")
_SAID_OUTRIGHT = (*_KIND_KEYS, "gen_ai.operation.name")
_METADATA_PREFIXES = (ASSOCIATION, "langsmith.metadata.", "langfuse.observation.metadata.", "langfuse.trace.metadata.")

_Key = tuple[bytes, bytes]
"""Trace id and span id."""


@dataclass(frozen=True, slots=True)
class AgentFields:
    """What one span says about agents, models and tools. Text is empty and numbers are None when unknown."""

    agent_name: str
    agent_id: str
    conversation_id: str
    user_id: str
    model: str
    provider: str
    operation: str
    input_tokens: int | None
    output_tokens: int | None
    cached_input_tokens: int | None
    reasoning_tokens: int | None
    cost_usd: float | None
    tool_name: str

    @property
    def is_model_call(self) -> bool:
        """Whether this span itself spent the tokens it reports."""
        return self.operation in MODEL_CALLS


@lru_cache(maxsize=4096)
def normal_operation(spelling: str) -> str:
    """Map any convention's operation or span kind to the normalised operation; unknown spellings give an empty text."""
    form = _WORDS.sub("_", _CAMEL.sub("_", spelling[:100]).lower()).strip("_")
    return OPERATIONS.get(form) or OPERATIONS.get(_OPERATION_PREFIX.sub("", form), "")


def operation_of(span: Span) -> str:
    """Return the normalised operation of a span, from its kind attribute, its operation name or its span name."""
    attributes = span.attributes
    for key in _KIND_KEYS:
        if key in attributes and (found := normal_operation(text(attributes[key]))) not in {"", "chain"}:
            return found
    weakest = ""
    for key in FIELD_KEYS["operation"]:
        if key in attributes and (found := normal_operation(text(attributes[key]))):
            if found not in {"chain", "task"}:
                return found
            weakest = weakest or found
    if named := _NAMED_OPERATION.match(span.name):
        return normal_operation(named.group(1))
    return weakest or ("chat" if _spends_tokens(attributes) else "")


def _spends_tokens(attributes: Attributes) -> bool:
    """Tell a model call that names no operation: a model together with token counts."""
    return ("gen_ai.request.model" in attributes or "llm.model_name" in attributes) and any(
        key in attributes
        for key in ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt")
    )


def metadata(attributes: Attributes, key: str) -> str:
    """Return a framework's metadata entry, wherever an instrumentation put it (prefixed keys or one JSON text)."""
    for prefix in _METADATA_PREFIXES:
        if found := unquoted(text(attributes.get(prefix + key))):
            return found
    blob = attributes.get("metadata")
    if isinstance(blob, str) and key not in blob:
        return ""
    return text(parse_object(blob).get(key)) if blob is not None else ""


def _conversation(attributes: Attributes) -> str:
    if found := unquoted(first_text(attributes, FIELD_KEYS["conversation_id"])):
        return found
    blob = attributes.get("metadata")
    if isinstance(blob, str) and not ("session_id" in blob or "conversation_id" in blob or "thread_id" in blob):
        return ""
    entries = parse_object(blob)
    return next(
        (found for key in ("session_id", "conversation_id", "thread_id") if (found := text(entries.get(key)))), ""
    )


def _tokens(attributes: Attributes, field: str, detail: str) -> int | None:
    for key in FIELD_KEYS[field]:
        if key in attributes and (found := _count(attributes[key])) is not None:
            return found
    return _count(parse_object(attributes.get("langfuse.observation.usage_details")).get(detail))


def _count(value: Value) -> int | None:
    found = number(value)
    return int(found) if found is not None and 0 <= found < MAX_COUNT else None


def _cost(attributes: Attributes) -> float | None:
    for key in FIELD_KEYS["cost_usd"]:
        if key in attributes and (found := number(attributes[key])) is not None:
            return found
    return number(parse_object(attributes.get("langfuse.observation.cost_details")).get("total"))


def _tool_name(span: Span, operation: str) -> str:
    if found := first_text(span.attributes, FIELD_KEYS["tool_name"]):
        return found
    if operation != "execute_tool":
        return ""
    named = span.name.removeprefix("execute_tool ") if span.name.startswith("execute_tool ") else ""
    return named or first_text(span.attributes, ("traceloop.entity.name", "langsmith.trace.name")) or span.name


def _agent_name(attributes: Attributes) -> Value:
    return first_text(attributes, FIELD_KEYS["agent_name"]) or metadata(attributes, "lc_agent_name")


def normalise(span: Span) -> AgentFields:
    """Read every normalised field of one span. Pure; never raises on values of unexpected types."""
    attributes = span.attributes
    operation = operation_of(span)
    return AgentFields(
        agent_name=text(_agent_name(attributes)),
        agent_id=first_text(attributes, FIELD_KEYS["agent_id"]),
        conversation_id=_conversation(attributes),
        user_id=first_text(attributes, FIELD_KEYS["user_id"]),
        model=first_text(attributes, FIELD_KEYS["model"]),
        provider=first_text(attributes, FIELD_KEYS["provider"]),
        operation=operation,
        input_tokens=_tokens(attributes, "input_tokens", "input"),
        output_tokens=_tokens(attributes, "output_tokens", "output"),
        cached_input_tokens=_tokens(attributes, "cached_input_tokens", "input_cached_tokens"),
        reasoning_tokens=_tokens(attributes, "reasoning_tokens", "output_reasoning_tokens"),
        cost_usd=_cost(attributes),
        tool_name=_tool_name(span, operation),
    )


def counted_model_calls(spans: Sequence[Span]) -> set[_Key]:
    """Return (trace id, span id) of the model calls that count, with their tokens and cost.

    Two nested instrumentations often report one call; the innermost that has token counts or a cost wins, so the sum
    over the returned spans counts every call once. A call that says nothing of the kind (it failed, it was streamed)
    counts where none of those nested with it does. Calls made inside a tool call are calls of their own.
    """
    operations: dict[_Key, str] = {}
    parents: dict[_Key, _Key] = {}
    spending: set[_Key] = set()
    silent: set[_Key] = set()
    for span in spans:
        key = (span.trace_id, span.span_id)
        fields = normalise(span)
        operations[key] = fields.operation
        if span.parent_span_id != span.span_id:
            parents[key] = (span.trace_id, span.parent_span_id)
        if fields.is_model_call:
            if _has_counts(fields):
                spending.add(key)
            elif fields.model or any(said in span.attributes for said in _SAID_OUTRIGHT):
                silent.add(key)
    around = set(_around(spending, parents, operations))
    silent -= around | _inside(silent, spending, parents, operations)
    return (spending - around) | (silent - set(_around(silent, parents, operations)))


def _inside(calls: set[_Key], others: set[_Key], parents: dict[_Key, _Key], operations: dict[_Key, str]) -> set[_Key]:
    """Return the calls that run inside one of the others, with no tool call between; every span is walked once."""
    known: dict[_Key, bool] = {}
    for call in calls:
        path: list[_Key] = []
        at: _Key | None = call
        while at is not None and at not in known:
            known[at] = at in others
            path.append(at)
            at = None if at in others or operations.get(at) == "execute_tool" else parents.get(at)
        found = known[path[-1] if at is None else at] if path else False
        known.update(dict.fromkeys(path, found))
    return {call for call in calls if known[call]}


def _has_counts(fields: AgentFields) -> bool:
    return any(count is not None for count in (fields.input_tokens, fields.output_tokens, fields.cost_usd))


def _around(calls: Iterable[_Key], parents: dict[_Key, _Key], operations: dict[_Key, str]) -> Iterable[_Key]:
    """Yield the spans around calls, up to the tool call they are made in; a shared path or a cycle is walked once."""
    seen: set[_Key] = set()
    for call in calls:
        at = parents.get(call)
        while at is not None and at not in seen and operations.get(at) != "execute_tool":
            seen.add(at)
            yield at
            at = parents.get(at)
