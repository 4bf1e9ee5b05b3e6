"""A tool call's arguments, wherever they were put: JSON attributes, wrapped objects, span events, reprs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from collector.processors.agent_transfers.model import Span, Value
from collector.processors.agent_transfers.values import (
    canonical,
    parse_object,
    quoted_field,
    quoted_text,
    text,
    unquoted,
)

ARGUMENT_KEYS = (
    "gen_ai.tool.call.arguments", "gcp.vertex.agent.tool_call_args", "tool_arguments", "tool.arguments",
    "tool_call.function.arguments", "ai.toolCall.args", "ai.toolCall.input", "gen_ai.tool.input", "input.value",
    "traceloop.entity.input", "langfuse.observation.input", "gen_ai.tool.arguments", "mlflow.spanInputs", "input",
    "tool.input", "tool.parameters", "gen_ai.prompt", "mastra.tool.input",
)  # fmt: skip
_RESULT_KEYS = (
    "gen_ai.tool.call.result", "output.value", "tool_response", "gcp.vertex.agent.tool_response",
    "traceloop.entity.output",
    "ai.toolCall.result", "langfuse.observation.output", "gen_ai.tool.output", "mlflow.spanOutputs", "output",
)  # fmt: skip
_WRAPPERS = ("kwargs", "inputs", "input", "arguments", "args", "parameters", "input_str", "tool_input")
_EVENT_NAMES = frozenset({"gen_ai.tool.message", "gen_ai.tool.call", "gen_ai.assistant.message", "tool.call"})
_EVENT_KEYS = ("content", "arguments", "gen_ai.tool.call.arguments", "input")
_MAX_DEPTH = 3
_STATUS_ERROR = 2
_REASONS = (
    "reason", "message", "task", "question", "description", "request", "objective", "prompt", "query", "instructions",
    "instruction", "input",
)  # fmt: skip
_PLAIN_KEYS = ("input.value", "traceloop.entity.input", "input")
_CONTAINERS = ("{", "[", "<", "(")
_REFUSED = re.compile(
    r"not found|unknown (?:agent|coworker|member|tool)|no such|does ?n[o']t exist|no agent"
    r"|invalid (?:agent|coworker|member)|not (?:a valid|available|allowed|registered)"
)


def argument_texts(span: Span) -> Iterator[Value]:
    """Yield every value that may hold the call's arguments, best first."""
    for key in ARGUMENT_KEYS:
        if key in span.attributes:
            yield span.attributes[key]
    for event in span.events:
        if event.name in _EVENT_NAMES:
            for key in _EVENT_KEYS:
                if key in event.attributes:
                    yield event.attributes[key]


def argument(span: Span, names: tuple[str, ...]) -> str:
    """Return the first argument among `names` that is a text or a number; empty if none is recorded."""
    for value in argument_texts(span):
        if found := _lookup(parse_object(value), names, 0):
            return found
        if isinstance(value, str) and (found := _in_repr(value, names)):
            return found
    return ""


def _lookup(given: dict[str, Value], names: tuple[str, ...], depth: int) -> str:
    if "properties" in given and "type" in given:  # the tool's schema, not a call
        return ""
    for name in names:
        if found := text(given.get(name)):
            return found
    if depth >= _MAX_DEPTH:
        return ""
    for wrapper in _WRAPPERS:
        if wrapper in given:
            inner = parse_object(given[wrapper])
            if found := _lookup(inner, names, depth + 1):
                return found
            if not inner and isinstance(given[wrapper], str) and (found := _in_repr(text(given[wrapper]), names)):
                return found
    return ""


def _in_repr(value: str, names: tuple[str, ...]) -> str:
    """Arguments as a language's repr of a mapping: only a whole mapping counts, never free text."""
    stripped = value.strip()[:4000]
    if not stripped.startswith("{") or '"properties"' in stripped or "'properties'" in stripped:
        return ""
    return next((found for name in names if (found := quoted_field(stripped, name))), "")


def routed(span: Span) -> tuple[str, str]:
    """Return target and reason of a result that is nothing but these two: the tool decided who is next (AG2)."""
    for key in _RESULT_KEYS:
        given = parse_object(span.attributes.get(key))
        if given.keys() == {"target", "reason"}:
            return text(given["target"]), text(given["reason"])
    return "", ""


def result_text(span: Span) -> str:
    """Return the start of the call's recorded result, in lower case."""
    for key in _RESULT_KEYS:
        if found := text(span.attributes.get(key)):
            return found[:2000].lower()
    for event in span.events:
        if event.name == "gen_ai.choice" and (found := text(event.attributes.get("message"))):
            return found[:2000].lower()
    return ""


def reason(span: Span) -> str:
    """Return why a tool was called or what for: the argument that says so, or all there is if it is a bare text."""
    for value in argument_texts(span):
        if found := reason_in(value):
            return found
    bare = next((found for key in _PLAIN_KEYS if (found := text(span.attributes.get(key)))), "")
    return "" if bare.startswith(_CONTAINERS) else unquoted(bare)


def task(span: Span) -> str:
    """Return what a tool call that runs an agent gave it: the argument that says so, the only text, or all of them."""
    if found := reason(span):
        return found
    for value in argument_texts(span):
        given = _unwrapped(parse_object(value), 0)
        if given and "properties" not in given and not any(isinstance(item, (dict, list)) for item in given.values()):
            texts = [found for item in given.values() if isinstance(item, str) and (found := text(item))]
            return texts[0] if len(texts) == 1 else canonical(given).decode() if texts else ""
    return ""


def _unwrapped(given: dict[str, Value], depth: int) -> dict[str, Value]:
    for wrapper in _WRAPPERS if depth < _MAX_DEPTH else ():
        if inner := parse_object(given.get(wrapper)):
            return _unwrapped(inner, depth + 1)
    return given


def reason_in(arguments: Value) -> str:
    """Return the argument that says why or what for, of a call's arguments as an object, JSON or a repr."""
    given = parse_object(arguments)
    found = _lookup(given, _REASONS, 0)
    if found:
        return "" if found.startswith(_CONTAINERS) else found
    return _reason_in_repr(arguments) if isinstance(arguments, str) and not given else ""


def _reason_in_repr(value: str) -> str:
    stripped = value.strip()[:4000]
    if not stripped.startswith("{") or '"properties"' in stripped or "'properties'" in stripped:
        return ""
    return next((found for name in _REASONS if (found := quoted_text(stripped, name))), "")


def refused(span: Span) -> bool:
    """Tell whether a call failed, or was answered that there is no such agent."""
    return span.status_code == _STATUS_ERROR or bool(_REFUSED.search(result_text(span)))
