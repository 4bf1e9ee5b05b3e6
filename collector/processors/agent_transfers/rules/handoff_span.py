"""A span that is the handoff: by operation, by kind, by its name, or by keys that name source and target."""

from __future__ import annotations

import re

from collector.processors.agent_transfers.group import Group
from collector.processors.agent_transfers.model import Span
from collector.processors.agent_transfers.names import MAX_NAME_CHARS, clean, same_agent
from collector.processors.agent_transfers.rules.keys import Roles, roles
from collector.processors.agent_transfers.rules.trigger import DELEGATION, HANDOFF, Trigger, at_span
from collector.processors.agent_transfers.values import first_text, parse_object, text

RULE = "handoff_span"

_ARROW = r"(?:→|->|=>|-->)"
_ARROW_NAME = re.compile(
    rf"^(?:agent[_ ])?(?:hand-?_?off|transfer)?:? ?(.{{1,120}}?) ?{_ARROW} ?(.{{1,120}}?)(?:\.handoff)?$", re.IGNORECASE
)
_TO_NAME = re.compile(r"^(?:agent[_ ])?hand-?_?off (?:from (.{1,120}?) )?to (.{1,120})$", re.IGNORECASE)
_BARE_NAME = re.compile(r"^(?:agent[_. ])?hand-?_?off(?:[_ ].{1,120})?$", re.IGNORECASE)
_MODE_KEYS = (
    "gen_ai.transfer.mode",
    "microsoft.a365.transfer.mode",
    "transfer.mode",
    "gen_ai.handoff.mode",
    "handoff.mode",
)
_TARGET_TYPE_KEYS = ("gen_ai.transfer.target.type", "microsoft.a365.transfer.target.type", "transfer.target.type")
_WAITING = ("return", "delegat", "call", "wait")
_DELEGATING_OPERATIONS = ("delegat",)


def find(group: Group, index: int) -> Trigger | None:
    """Find an explicit handoff. A target that is missing or called unknown is left open."""
    span, facts = group.forest.spans[index], group.facts[index]
    named = roles(span.attributes)
    operation = facts.fields.operation == "handoff"
    from_name, to_name = _from_span_name(span, operation)
    is_handoff = operation or bool(to_name) or _is_bare(span)
    if not is_handoff and (named is None or not _says_handoff(named, facts.is_tool)):
        return None
    if _other_target(span):
        return None
    source = (named.source if named else "") or from_name or (_source_as_input(group, index) if to_name else "")
    target = (named.target if named else "") or to_name
    if not source and group.activations.around(index) is None and facts.owner:
        source = facts.owner
    if (source and target and same_agent(source, target)) or _is_target_run(group, index, target):
        return None
    waits = _waits(span)
    return at_span(
        group,
        index,
        RULE,
        DELEGATION if waits else HANDOFF,
        target,
        0.95 if target else 0.85,
        source=source,
        waits=waits,
        failed=span.status_code == 2,
        reason=named.reason if named else "",
        source_id=named.source_id if named else "",
        target_id=named.target_id if named else "",
    )


def _source_as_input(group: Group, index: int) -> str:
    """Read the source from the span's input: an object that names it, or the bare name of an agent."""
    given = text(group.forest.spans[index].attributes.get("input.value"))
    inside = roles(parse_object(given)) if given.startswith("{") else None
    if inside is not None:
        return inside.source
    bare = clean(given) if given[:1] not in {"{", "["} and "\n" not in given and len(given) <= MAX_NAME_CHARS else ""
    return bare if group.activations.around(index) is None else group.known(bare)


def _from_span_name(span: Span, operation: bool) -> tuple[str, str]:
    """Read `handoff to b`, `handoff from a to b`, `a → b.handoff`, `Handoff: a → b`."""
    for name in (text(span.attributes.get("logfire.msg")), span.name):
        if "{" in name:
            continue
        lowered = name.lower()
        says = (
            "handoff" in lowered
            or "hand-off" in lowered
            or "hand_off" in lowered
            or lowered.startswith("agent transfer")
        )
        if not says and not operation:
            continue
        if found := _TO_NAME.match(name):
            return clean(found.group(1) or ""), clean(found.group(2))
        if found := _ARROW_NAME.match(name):
            return clean(found.group(1)), clean(found.group(2))
    return "", ""


def _is_bare(span: Span) -> bool:
    """A handoff span that names nobody; tools called handoff have a name and arguments, and are another rule's."""
    attributes = span.attributes
    is_tool = attributes.get("openinference.span.kind") == "TOOL"
    return is_tool and "tool.name" not in attributes and _BARE_NAME.match(span.name) is not None


def _says_handoff(named: Roles, is_tool: bool) -> bool:
    if named.source and named.target:
        return True
    return bool(named.target and (named.moving or is_tool)) or bool(named.source and named.moving)


def _is_target_run(group: Group, index: int, target: str) -> bool:
    """A run that says who handed over to it is the target, not the handoff."""
    run = group.activations.around(index)
    return run is not None and group.is_run(index) and (not target or same_agent(target, run.name))


def _other_target(span: Span) -> bool:
    """A transfer to a human or to a workflow step is not one between agents."""
    kind = first_text(span.attributes, _TARGET_TYPE_KEYS).lower()
    return bool(kind) and "agent" not in kind


def _waits(span: Span) -> bool:
    mode = first_text(span.attributes, _MODE_KEYS).lower()
    operation = text(span.attributes.get("gen_ai.operation.name")).lower()
    return mode.startswith(_WAITING) or (not mode and operation.startswith(_DELEGATING_OPERATIONS))
