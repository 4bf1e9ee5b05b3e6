"""Agent names: one normal form to compare them, and the names that do not name an agent."""

from __future__ import annotations

import re

from collector.processors.agent_transfers.remembering import remembered
from collector.processors.agent_transfers.values import unquoted

MAX_NAME_CHARS = 256

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_OTHER = re.compile(r"[^a-z0-9]+")
_AGENT_AFFIX = re.compile(r"^(?:the_)?(?:agent_)?(.+?)(?:_agent)?$")

# What instrumentations write when they do not know the agent, or the name of a runner rather than of an agent.
PLACEHOLDERS = frozenset(
    {
        "agent", "agents", "ai_agent", "open_ai_agent", "openai_agent", "openai_agents", "agent_workflow", "workflow",
        "lang_graph", "langgraph", "langchain", "swarm", "graph", "team", "crew", "runnable_sequence",
        "agent_executor", "start", "end", "user", "human", "human_user", "system", "tool", "tools", "model", "default",
        "anonymous", "unnamed", "unnamed_agent", "unknown", "unknown_agent", "none", "null", "undefined", "n_a", "na",
        "invoke_agent", "agent_run", "run_agent", "agent_invocation", "undefined_agent",
    }
)  # fmt: skip


@remembered(65_536)
def normal(name: str) -> str:
    """Return the form two spellings of one agent share: `Billing Agent`, `billing-agent`, `BillingAgent`."""
    spaced = _CAMEL.sub("_", name[:MAX_NAME_CHARS])
    lowered = _OTHER.sub("_", spaced.lower()).strip("_")
    return lowered or name.strip().lower()


@remembered(65_536)
def stem(name: str) -> str:
    """Return the normal form without the word agent: `agent-1` and `1`, `billing` and `billing_agent` agree."""
    form = normal(name)
    found = _AGENT_AFFIX.match(form)
    return found.group(1) if found else form


def is_placeholder(name: str) -> bool:
    """Tell whether a name stands for 'some agent' or a runner instead of naming one."""
    return not name or normal(name) in PLACEHOLDERS


def same_agent(left: str, right: str) -> bool:
    """Tell whether two spellings mean one agent."""
    return normal(left) == normal(right)


def same_tool(outer: str, inner: str) -> bool:
    """Tell whether nested tool calls are one call told twice; clients put an MCP server's name before its tools'."""
    around, inside = normal(outer), normal(inner)
    return inside != "" and (around == inside or around.endswith(f"_{inside}"))


def clean(name: str) -> str:
    """Return a usable agent name, or an empty string for a placeholder."""
    short = unquoted(name.strip())[:MAX_NAME_CHARS]
    return "" if is_placeholder(short) else short
