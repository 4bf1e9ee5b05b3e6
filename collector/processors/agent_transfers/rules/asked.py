"""Why an agent handed over, where the handoff's span does not say: what its model gave to the handoff's call.

Some frameworks carry handoffs out themselves instead of running a tool, so the call is only in the model's answer.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from collector.processors.agent_transfers.group import TOLERANCE_NANO, Group
from collector.processors.agent_transfers.model import Attributes, Value
from collector.processors.agent_transfers.names import normal, stem
from collector.processors.agent_transfers.rules.arguments import reason_in
from collector.processors.agent_transfers.values import parse_json, parse_object, text

_FLAT = re.compile(r"^(?:llm\.output_messages|gen_ai\.completion)\.(.{1,60})\.name$")
_ANSWERS = ("gen_ai.output.messages", "output", "output.value", "response_data")
_HANDOFF = re.compile(
    r"^(?:transfer|hand_?off|hand_?over|escalate|route|delegate|switch)(?:_(?:back_)?to)?_(.{1,120})$"
)
_MAX_CALLS = 64
_MAX_DEPTH = 6

Answers: TypeAlias = Mapping[int, tuple[list[int], list[int]]]
"""By run number: the ends of its model calls, ordered, and their positions."""


def model_answers(group: Group) -> Answers:
    """Return the model calls of every run."""
    found: dict[int, list[tuple[int, int]]] = {}
    for index, span in enumerate(group.forest.spans):
        around = group.activations.around(index) if group.facts[index].is_llm else None
        if around is not None:
            found.setdefault(around.number, []).append((span.end_time_unix_nano, index))
    return {
        number: ([end for end, _ in ordered], [index for _, index in ordered])
        for number, several in found.items()
        if (ordered := sorted(several))
    }


def asked(group: Group, answers: Answers, run: int, time: int, target: str) -> tuple[str, str]:
    """Return target and reason of the handoff that a run's last model answer before `time` asks for; empty if none.

    Of several the one to `target`; without a target there must be one only.
    """
    ends, positions = answers.get(run, ([], []))
    at = bisect_right(ends, time + TOLERANCE_NANO)
    if not at:
        return "", ""
    wanted = f"_{stem(target)}" if target else ""
    found = [
        (sought, reason_in(arguments))
        for name, arguments in _calls(group.forest.spans[positions[at - 1]].attributes)
        if (sought := _target(group, normal(name), target))
        and f"_{normal(name).removesuffix('_agent')}".endswith(wanted)
    ]
    return found[0] if len(set(found)) == 1 or (found and target) else ("", "")


def _target(group: Group, call: str, target: str) -> str:
    """Return the agent a call hands over to: `transfer_money` names none, `transfer_to_billing` does, run or not.

    A call may be named as the agent itself (smolagents).
    """
    if target and call == normal(target):
        return target
    named = _HANDOFF.match(call)
    if not named:
        return ""
    return group.known(named.group(1)) or (named.group(1) if "_to_" in call else "")


def _calls(attributes: Attributes) -> Iterator[tuple[str, Value]]:
    """Yield name and arguments of the tool calls in a model's answer, in any convention."""
    for key, value in attributes.items():
        if "tool_call" in key and _FLAT.match(key):
            yield text(value), attributes.get(key.removesuffix("name") + "arguments")
    for key in _ANSWERS:
        if key in attributes:
            yield from _inside(parse_json(attributes[key]), 0)


def _inside(value: Value, depth: int) -> Iterator[tuple[str, Value]]:
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, list):
        for item in value[:_MAX_CALLS]:
            yield from _inside(item, depth + 1)
    elif isinstance(value, dict):
        if "arguments" in value and (name := text(value.get("name"))):
            yield name, value["arguments"]
        for key in ("parts", "message", "tool_calls", "function", "output", "choices"):
            yield from _inside(parse_object(value[key]) or value[key], depth + 1) if key in value else ()
