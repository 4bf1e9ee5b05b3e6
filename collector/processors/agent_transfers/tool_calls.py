"""Which spans tell of one tool call: a framework, an MCP client and its server often nest a span each."""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Iterable, Mapping
from typing import TypeVar

from collector.processors.agent_transfers.names import same_tool

Key = TypeVar("Key", bound=Hashable)


def told_above(tools: Mapping[Key, str], above: Callable[[Key], Iterable[Key]], runs: Container[Key]) -> dict[Key, Key]:
    """Return for every tool call that a tool call above tells of, too, the nearest of these.

    `tools` are the names of the tools called, `above` gives the spans above one, nearest first. A call made in an
    agent's run (`runs` are the spans of these) is its own. Every span is walked a fixed number of times.
    """
    nearest: dict[Key, Key | None] = {}  # of spans that were passed: the tool call above
    found = {}
    for call, name in tools.items():
        outer = _tool_above(above(call), tools, runs, nearest)
        if outer is not None and same_tool(tools[outer], name):
            found[call] = outer
    return found


def _tool_above(
    way: Iterable[Key], tools: Mapping[Key, str], runs: Container[Key], nearest: dict[Key, Key | None]
) -> Key | None:
    passed, found = [], None
    for above in way:
        if above in tools or above in runs:
            found = above if above in tools else None
            break
        if above in nearest:
            found = nearest[above]
            break
        passed.append(above)
    nearest.update(dict.fromkeys(passed, found))
    return found
