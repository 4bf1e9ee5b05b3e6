"""Attribute keys that say who hands over to whom, recognised by their words rather than by a list of vendors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from collector.processors.agent_transfers.model import Attributes
from collector.processors.agent_transfers.names import clean
from collector.processors.agent_transfers.remembering import remembered
from collector.processors.agent_transfers.values import first_text, text

_MOVE = r"(?:handoff|hand_off|handover|transfer|delegation|delegate|interaction)"
_TO = r"(?:to|target|destination|dest|recipient|receiver|callee|delegatee)"
_FROM = r"(?:from|source|sender|origin|initiator|delegator|caller)"
_END = r"(?:_(?:name|id|key|role))?$"
_TARGET = re.compile(rf"(?:^|_){_TO}_agent{_END}|(?:^|_)(?:agent|{_MOVE})_{_TO}(?:_agent)?{_END}")
_SOURCE = re.compile(rf"(?:^|_){_FROM}_agent{_END}|(?:^|_)(?:agent|{_MOVE})_{_FROM}(?:_agent)?{_END}")
_MOVING = re.compile(rf"(?:^|_){_MOVE}s?(?:_|$)|(?:from|to)_agent")
_ABOUT_AGENTS = re.compile(r"(?:^|_)(?:agents?|gen_ai|genai|openai|handoff|hand_off|handover)(?:_|$)")
_WORDS = re.compile(r"[^a-z0-9]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_REASON_KEYS = (
    "gen_ai.handoff.reason", "handoff.reason", "handoff_reason", "transfer.reason", "gen_ai.transfer.reason",
    "delegation.reason", "agent.handoff.reason", "reason",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Roles:
    """Source and target as attribute keys name them; `moving` if a key also says that something is handed over."""

    source: str
    target: str
    source_id: str
    target_id: str
    moving: bool
    reason: str


@remembered(8_192)
def _role(key: str) -> tuple[str, bool, bool]:
    """Return (role, is an id, says handoff) of one attribute key; the role is empty for all other keys."""
    form = _WORDS.sub("_", _CAMEL.sub("_", key[:120]).lower()).strip("_")
    if not _ABOUT_AGENTS.search(form):
        return "", False, False
    role = "target" if _TARGET.search(form) else "source" if _SOURCE.search(form) else ""
    return role, form.endswith("_id"), bool(_MOVING.search(form))


def roles(attributes: Attributes) -> Roles | None:
    """Return who hands over to whom as far as the attribute keys say it, or None when they say nothing."""
    found = {"source": "", "target": "", "source_id": "", "target_id": ""}
    moving = seen = False
    for role, is_id, moves, value in sorted(_role_values(attributes)):
        seen = True
        moving = moving or moves
        slot = f"{role}_id" if is_id else role
        found[slot] = found[slot] or value
    if not seen:
        return None
    source = found["source"] or found["source_id"]
    target = found["target"] or found["target_id"]
    return Roles(source, target, found["source_id"], found["target_id"], moving, first_text(attributes, _REASON_KEYS))


def _role_values(attributes: Attributes) -> Iterator[tuple[str, bool, bool, str]]:
    for key, value in attributes.items():
        role, is_id, moves = _role(key)
        if role and isinstance(value, (str, int)):
            yield role, is_id, moves, clean(text(value))


def has_role_key(attributes: Attributes) -> bool:
    """Tell cheaply whether any key names a source or target agent."""
    return any(_role(key)[0] for key in attributes)
