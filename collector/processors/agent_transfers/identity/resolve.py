"""All identity modules together: the agent run of every span that is one."""

from __future__ import annotations

from collections.abc import Callable

from collector.processors.agent_transfers.identity import langgraph, llamaindex, spans, unnamed
from collector.processors.agent_transfers.identity.facts import Facts, Run
from collector.processors.agent_transfers.tree import Forest

Resolver = Callable[[Forest, tuple[Facts, ...]], dict[int, Run]]

FRAMEWORKS: tuple[Resolver, ...] = (langgraph.runs, llamaindex.runs, unnamed.runs)
"""Asked in this order for spans that do not name their agent themselves."""


def agent_runs(forest: Forest, facts: tuple[Facts, ...]) -> dict[int, Run]:
    """Return the agent run of every span position that is one; the span's own word comes first."""
    found: dict[int, Run] = {}
    for index, span in enumerate(forest.spans):
        if run := spans.run_of(span, facts[index]):
            found[index] = run
    for resolver in FRAMEWORKS:
        for index, run in resolver(forest, facts).items():
            found.setdefault(index, run)
    return found
