"""LlamaIndex AgentWorkflow: no agent spans; the agent's name is only inside the text a workflow step records."""

from __future__ import annotations

import re

from collector.processors.agent_transfers.identity.facts import Facts, Run, Strength
from collector.processors.agent_transfers.model import Span
from collector.processors.agent_transfers.names import clean
from collector.processors.agent_transfers.tree import Forest
from collector.processors.agent_transfers.values import quoted_field, text

_KEY = "current_agent_name"
_TEXTS = ("input.value", "output.value", "traceloop.entity.input", "traceloop.entity.output")
# Not the workflow's root: its text names the agent that was last, not one that ran all along.
_STEP_NAME = re.compile(r"\.run_agent_step$|^\w*(?:AgentWorkflow|Agent)\.task$")


def runs(forest: Forest, facts: tuple[Facts, ...]) -> dict[int, Run]:
    """Return the workflow steps that run an agent, by span position."""
    found: dict[int, Run] = {}
    for index, span in enumerate(forest.spans):
        if facts[index].is_tool or facts[index].is_llm:
            continue
        if _STEP_NAME.search(span.name) and (name := clean(_named(span))):
            found[index] = Run(name, Strength.WEAK)
    return found


def _named(span: Span) -> str:
    for key in _TEXTS:
        recorded = text(span.attributes.get(key))
        if _KEY in recorded and (name := quoted_field(recorded, _KEY)):
            return name
    return ""
