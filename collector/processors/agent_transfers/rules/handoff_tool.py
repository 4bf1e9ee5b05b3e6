"""Tools whose call is a handoff: `transfer_to_agent(agent_name=…)`, `handoff(to_agent=…)`, `transfer_to_<agent>`.

A name like `transfer_money` proves nothing: a tool counts when it is called after agents, takes an agent as its
argument, ends in the name of an agent that runs in the same group, or answers with one who is to be next.
"""

from __future__ import annotations

import re

from collector.processors.agent_transfers.group import Group
from collector.processors.agent_transfers.identity import langgraph
from collector.processors.agent_transfers.model import Span
from collector.processors.agent_transfers.names import clean, normal, same_agent
from collector.processors.agent_transfers.rules.arguments import argument, reason, refused, routed
from collector.processors.agent_transfers.rules.trigger import DELEGATION, HANDOFF, RETURN, Trigger, at_span
from collector.processors.agent_transfers.semantics import metadata
from collector.processors.agent_transfers.values import first_text

RULE = "handoff_tool"

_VERB = (
    r"(?:transfer|handoff|hand_off|handover|hand_over|delegate|delegation|route|switch|escalate|redirect|goto|go|assign"
    r"|forward)"
)
_THING = r"(?:task|work|control|conversation|call|chat|request|question)"
_SOMEBODY = (
    r"(?:agents?|coworker|co_worker|teammate|team_member|members?|specialist|subagent|sub_agent|another_agent|worker)"
)
_GENERAL = re.compile(
    rf"^(?:[a-z0-9_]{{1,40}}_)??(?:(?:agent_)?{_VERB}(?:_{_THING})?_(?:to_)?(?:an?_|another_|other_|the_)?{_SOMEBODY}"
    rf"|(?:agent_)?(?:handoff|hand_off)|agent_transfer|ask_(?:a_)?question_to_{_SOMEBODY}|ask_{_SOMEBODY}"
    rf"|(?:send_)?message_(?:to_)?{_SOMEBODY})$"
)
_BARE = re.compile(r"^(?:delegate|delegate_task|delegate_work|consult)$")
_NAMED = re.compile(rf"^(?:.{{1,40}}_)??{_VERB}(?:_{_THING})?_(?:back_)?to_(?:the_)?(.{{1,120}})$")
_DELEGATING = re.compile(r"delegat|consult|ask_|assign|message")
_TARGET_ARGUMENTS = (
    "agent_name", "to_agent", "target_agent", "target_agent_name", "agentName", "targetAgent", "toAgent", "agent",
    "coworker",
    "co_worker", "recipient_agent", "member_id", "member_name", "subagent_type", "sub_agent", "subagent", "agent_id",
    "agentId", "next_agent", "recipient", "assignee", "handoff_to", "transfer_to", "destination", "target", "to",
)  # fmt: skip
_DESCRIPTION_KEYS = ("gen_ai.tool.description", "tool.description", "ai.toolCall.description")
_DESCRIBED = re.compile(
    r"^(?:hand(?:ing)?[ -]?off|transfer(?:s|ring)?(?: control)?|delegates?) to (?:the )?"
    r"['\"]?(.{1,120}?)['\"]?(?: agent)?(?:[.,]| to | for |$)"
    r"|^ask agent ['\"](.{1,120}?)['\"]",
    re.IGNORECASE,
)


def find(group: Group, index: int) -> Trigger | None:
    """Find a handoff by tool call."""
    span, facts = group.forest.spans[index], group.facts[index]
    destination = clean(metadata(span.attributes, "__handoff_destination"))
    if not facts.is_tool or facts.is_llm:
        return None
    tool = normal(facts.fields.tool_name or span.name)
    if destination:
        return _trigger(group, index, tool, destination, 0.97)
    if _GENERAL.match(tool):
        return _trigger(group, index, tool, clean(argument(span, _TARGET_ARGUMENTS)), 0.95)
    if _BARE.match(tool):
        return _bare(group, index, tool)
    return _named(group, index, tool) or _routed(group, index, tool)


def _bare(group: Group, index: int, tool: str) -> Trigger | None:
    """`delegate(target=…)` may be about anything: it counts for an agent of the group, or when there is no such one."""
    span = group.forest.spans[index]
    named = clean(argument(span, _TARGET_ARGUMENTS))
    known = group.known(named) if named else ""
    if not known and not (named and group.activations.around(index) and refused(span)):
        return None
    return _trigger(group, index, tool, known or named, 0.9)


def _routed(group: Group, index: int, tool: str) -> Trigger | None:
    """Find a tool that answers with the agent who is to be next."""
    target, why = routed(group.forest.spans[index])
    known = group.known(target) if target else ""
    return _trigger(group, index, tool, known, 0.9, why) if known else None


def _named(group: Group, index: int, tool: str) -> Trigger | None:
    found = _NAMED.match(tool)
    if not found:
        return None
    span = group.forest.spans[index]
    for suffix in _suffixes(found.group(1)):
        if known := group.known(suffix):
            return _trigger(group, index, tool, known, 0.95)
    described = _described(span)
    if described and normal(described) == found.group(1):
        return _trigger(group, index, tool, described, 0.8)
    return None


def _suffixes(rest: str) -> tuple[str, ...]:
    """What may be the agent in `…_to_<rest>`: all of it, or what follows a filler word."""
    return (rest, rest.removeprefix("agent_"), rest.removesuffix("_agent"))


def _described(span: Span) -> str:
    found = _DESCRIBED.match(first_text(span.attributes, _DESCRIPTION_KEYS))
    return clean(found.group(1) or found.group(2)) if found else ""


def _trigger(group: Group, index: int, tool: str, target: str, confidence: float, why: str = "") -> Trigger | None:
    span = group.forest.spans[index]
    source = group.facts[index].owner if group.activations.around(index) is None else ""
    if not source and langgraph.is_langgraph(span.attributes) and group.activations.around(index) is None:
        source = langgraph.agent_of(span.attributes)
    waits = bool(_DELEGATING.search(tool))
    owner = source or group.owner(index)[0]
    if target and same_agent(owner, target):
        return None
    why = why or reason(span)
    if same_agent(why, target):  # the only argument was the agent
        why = ""
    kind = RETURN if "_back_to_" in tool else DELEGATION if waits else HANDOFF
    return at_span(
        group,
        index,
        RULE,
        kind,
        target,
        confidence if target else 0.8,
        source=source,
        waits=waits,
        runs_here=waits,
        failed=refused(span),
        reason=why,
    )
