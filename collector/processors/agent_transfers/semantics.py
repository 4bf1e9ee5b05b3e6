"""One span's agent fields, whatever convention it was written in; and which model calls count."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from collector.processors.agent_transfers.model import Attributes, Span, Value
from collector.processors.agent_transfers.remembering import remembered
from collector.processors.agent_transfers.semantics_table import (
    ASSOCIATION,
    CONVERSATION_IN_METADATA,
    COST_DETAILS,
    FIELD_KEYS,
    KIND_KEYS,
    MAX_COUNT,
    MAX_FIELD_CHARS,
    MODEL_CALLS,
    MODEL_KEYS,
    OPERATIONS,
    SPENT_KEYS,
    TOOL_ENTITY_KEYS,
    TOOL_PREFIXES,
    USAGE_DETAILS,
)
from collector.processors.agent_transfers.values import first_text, number, parse_object, text, unquoted

_WORDS = re.compile(r"[^a-z0-9]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_OPERATION_PREFIX = re.compile(r"^(?:ai|gen_ai|genai|llm|agents?)_")
# Conventions that put the operation into the span name only; the target follows the operation.
_NAMED_OPERATION = re.compile(
    r"^(invoke_agent|create_agent|execute_tool|chat|generate_content|text_completion|embeddings|invoke_workflow)(?: |$)"
)
_SAID_OUTRIGHT = (*KIND_KEYS, "gen_ai.operation.name")
_METADATA_PREFIXES = (ASSOCIATION, "langsmith.metadata.", "langfuse.observation.metadata.", "langfuse.trace.metadata.")

Key = tuple[bytes, bytes]
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


@remembered(4_096)
def normal_operation(spelling: str) -> str:
    """Map any convention's operation or span kind to the normalised operation; unknown spellings give an empty text."""
    form = _WORDS.sub("_", _CAMEL.sub("_", spelling[:100]).lower()).strip("_")
    return OPERATIONS.get(form) or OPERATIONS.get(_OPERATION_PREFIX.sub("", form), "")


def operation_of(span: Span) -> str:
    """Return the normalised operation of a span, from its kind attribute, its operation name or its span name."""
    attributes = span.attributes
    for key in KIND_KEYS:
        if key in attributes and (found := normal_operation(text(attributes[key]))) not in {"", "chain"}:
            return found
    weakest = ""
    for key in FIELD_KEYS["operation"]:
        if key in attributes and (found := normal_operation(text(attributes[key]))):
            if found not in {"chain", "task"}:
                return found
            weakest = weakest or found
    return operation_in_name(span.name) or weakest or ("chat" if _spends_tokens(attributes) else "")


def operation_in_name(name: str) -> str:
    """Return the operation that a span name starts with, as in `invoke_agent billing`."""
    named = _NAMED_OPERATION.match(name)
    return normal_operation(named.group(1)) if named else ""


def _spends_tokens(attributes: Attributes) -> bool:
    """Tell a model call that names no operation: a model together with token counts."""
    return any(key in attributes for key in MODEL_KEYS) and any(key in attributes for key in SPENT_KEYS)


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
    if isinstance(blob, str) and not any(key in blob for key in CONVERSATION_IN_METADATA):
        return ""
    entries = parse_object(blob)
    return next((found for key in CONVERSATION_IN_METADATA if (found := text(entries.get(key)))), "")


def _tokens(attributes: Attributes, field: str) -> int | None:
    for key in FIELD_KEYS[field]:
        if key in attributes and (found := _count(attributes[key])) is not None:
            return found
    blob, entry = USAGE_DETAILS[field]
    return _count(parse_object(attributes.get(blob)).get(entry))


def _count(value: Value) -> int | None:
    found = number(value)
    return int(found) if found is not None and 0 <= found < MAX_COUNT else None


def _cost(attributes: Attributes) -> float | None:
    for key in FIELD_KEYS["cost_usd"]:
        if key in attributes and (found := _amount(attributes[key])) is not None:
            return found
    blob, total = COST_DETAILS
    return _amount(parse_object(attributes.get(blob)).get(total))


def _amount(value: Value) -> float | None:
    found = number(value)
    return found if found is not None and found >= 0 else None


def _tool_name(span: Span, operation: str) -> str:
    if found := first_text(span.attributes, FIELD_KEYS["tool_name"]):
        return found
    if operation != "execute_tool":
        return ""
    return tool_in_name(span.name) or first_text(span.attributes, TOOL_ENTITY_KEYS) or span.name


def tool_in_name(name: str) -> str:
    """Return the tool that a span name ends with, as in `execute_tool search`."""
    return next((name.removeprefix(prefix) for prefix in TOOL_PREFIXES if name.startswith(prefix)), "")


def _agent_name(attributes: Attributes) -> Value:
    return unquoted(first_text(attributes, FIELD_KEYS["agent_name"])) or metadata(attributes, "lc_agent_name")


def normalise(span: Span) -> AgentFields:
    """Read every normalised field of one span. Pure; never raises on values of unexpected types."""
    attributes = span.attributes
    operation = operation_of(span)
    return AgentFields(
        agent_name=text(_agent_name(attributes)),
        agent_id=_short_text(attributes, "agent_id"),
        conversation_id=_conversation(attributes)[:MAX_FIELD_CHARS],
        user_id=_short_text(attributes, "user_id"),
        model=_short_text(attributes, "model"),
        provider=_short_text(attributes, "provider"),
        operation=operation,
        input_tokens=_tokens(attributes, "input_tokens"),
        output_tokens=_tokens(attributes, "output_tokens"),
        cached_input_tokens=_tokens(attributes, "cached_input_tokens"),
        reasoning_tokens=_tokens(attributes, "reasoning_tokens"),
        cost_usd=_cost(attributes),
        tool_name=_tool_name(span, operation)[:MAX_FIELD_CHARS],
    )


def _short_text(attributes: Attributes, field: str) -> str:
    return first_text(attributes, FIELD_KEYS[field])[:MAX_FIELD_CHARS]


def counted_model_calls(spans: Sequence[Span]) -> set[Key]:
    """Return (trace id, span id) of the model calls that count, with their tokens and cost.

    Two nested instrumentations often report one call; the innermost that has token counts or a cost wins, so the sum
    over the returned spans counts every call once. A call that says nothing of the kind (it failed, it was streamed)
    counts where none of those nested with it does. Calls made inside a tool call are calls of their own.
    """
    operations: dict[Key, str] = {}
    parents: dict[Key, Key] = {}
    spending: set[Key] = set()
    silent: set[Key] = set()
    for span in spans:
        key = (span.trace_id, span.span_id)
        fields = normalise(span)
        operations[key] = fields.operation
        if span.parent_span_id != span.span_id:
            parents[key] = (span.trace_id, span.parent_span_id)
        if fields.is_model_call:
            if has_counts(fields):
                spending.add(key)
            elif fields.model or any(said in span.attributes for said in _SAID_OUTRIGHT):
                silent.add(key)
    return innermost_calls(spending, silent, parents, operations)


def innermost_calls(
    spending: set[Key], silent: set[Key], parents: Mapping[Key, Key], operations: Mapping[Key, str]
) -> set[Key]:
    """Return which spans stand for a model call each, of those that say what it spent and those that do not.

    `parents` may name spans that are not there. Every span is walked a fixed number of times.
    """
    around = set(_around(spending, parents, operations))
    silent = silent - around - _inside(silent, spending, parents, operations)
    return (spending - around) | (silent - set(_around(silent, parents, operations)))


def _inside(calls: set[Key], others: set[Key], parents: Mapping[Key, Key], operations: Mapping[Key, str]) -> set[Key]:
    """Return the calls that run inside one of the others, with no tool call between; every span is walked once."""
    known: dict[Key, bool] = {}
    for call in calls:
        path: list[Key] = []
        at: Key | None = call
        while at is not None and at not in known:
            known[at] = at in others
            path.append(at)
            at = None if at in others or operations.get(at) == "execute_tool" else parents.get(at)
        found = known[path[-1] if at is None else at] if path else False
        known.update(dict.fromkeys(path, found))
    return {call for call in calls if known[call]}


def has_counts(fields: AgentFields) -> bool:
    """Tell whether a span says what was spent."""
    return any(count is not None for count in (fields.input_tokens, fields.output_tokens, fields.cost_usd))


def _around(calls: Iterable[Key], parents: Mapping[Key, Key], operations: Mapping[Key, str]) -> Iterable[Key]:
    """Yield the spans around calls, up to the tool call they are made in; a shared path or a cycle is walked once."""
    seen: set[Key] = set()
    for call in calls:
        at = parents.get(call)
        while at is not None and at not in seen and operations.get(at) != "execute_tool":
            seen.add(at)
            yield at
            at = parents.get(at)
