"""LangGraph: agents are graph nodes. The node path is in `langgraph_checkpoint_ns`, the agent's name in
`lc_agent_name`.

A node is not an agent by itself: prebuilt agents are graphs whose inner nodes are called `agent`, `model`, `tools`.
So the agent is the last node of the path that is not such an inner node, or the graph around inner nodes when there
is none.
"""

from __future__ import annotations

from collector.processors.agent_transfers.identity.facts import Facts, Run, Strength
from collector.processors.agent_transfers.model import Attributes, Span
from collector.processors.agent_transfers.names import clean, normal
from collector.processors.agent_transfers.semantics import metadata
from collector.processors.agent_transfers.tree import ROOT, Forest
from collector.processors.agent_transfers.values import first_text, text

INNER_NODES = frozenset(
    {
        "__start__", "__end__", "agent", "model", "tools", "tool_node", "call_model", "model_request", "call_agent",
        "pre_model_hook", "post_model_hook", "generate_structured_response", "should_continue", "respond", "action",
    }
)  # fmt: skip
_STATUS_ERROR = 2
# The framework's own means to hand over to another graph's node, or to wait for a person.
_CONTROL_FLOW = ("ParentCommand", "GraphBubbleUp", "GraphInterrupt", "NodeInterrupt")
_CONTROL_MESSAGES = ("Command(", "(Interrupt(", "ParentCommand(", "GraphInterrupt(")
_MODEL_NODES = frozenset({"agent", "model", "call_model", "model_request"})


def is_langgraph(attributes: Attributes) -> bool:
    """Tell cheaply whether a span can carry LangGraph metadata at all."""
    blob = attributes.get("metadata")
    if isinstance(blob, str):
        return "langgraph" in blob or "lc_agent_name" in blob
    return isinstance(blob, dict) or any("langgraph" in key or "lc_agent_name" in key for key in attributes)


def node_of(attributes: Attributes) -> str:
    """Return the graph node a span belongs to."""
    return entry(attributes, "langgraph_node") or first_text(attributes, ("gen_ai.langgraph.node", "langgraph.node"))


def entry(attributes: Attributes, key: str) -> str:
    """Return a metadata entry under the known prefixes or, failing that, under any."""
    return metadata(attributes, key) or first_text(
        attributes, (name for name in attributes if name.endswith("." + key))
    )


def path_of(attributes: Attributes) -> tuple[str, ...]:
    """Return the node names from the outer graph inwards."""
    namespace = namespace_of(attributes)
    return tuple(part.split(":", 1)[0] for part in namespace.split("|")) if namespace else ()


def namespace_of(attributes: Attributes) -> str:
    """Return the checkpoint namespace, which is different for every execution of a node."""
    return entry(attributes, "langgraph_checkpoint_ns") or entry(attributes, "checkpoint_ns")


def agent_of(attributes: Attributes) -> str:
    """Return the agent a span works for: the named agent, else the innermost node that is not an inner one."""
    if named := clean(entry(attributes, "lc_agent_name")):
        return named
    return next(
        (name for part in reversed(path_of(attributes)) if part not in INNER_NODES and (name := clean(part))), ""
    )


def entity_of(span: Span) -> str:
    """Return what the span runs, without the words instrumentations add around it."""
    entity = first_text(span.attributes, ("gen_ai.task.name", "traceloop.entity.name"))
    return entity or span.name.removeprefix("execute_task ").removesuffix(".task").removesuffix(".workflow")


def runs(forest: Forest, facts: tuple[Facts, ...]) -> dict[int, Run]:
    """Return the LangGraph agent runs by span position."""
    found: dict[int, Run] = {}
    for index in forest.top_down:
        span = forest.spans[index]
        if facts[index].is_tool or facts[index].is_llm or not is_langgraph(span.attributes):
            continue
        if name := _node_run(span):
            found[index] = Run(name, Strength.NODE)
        elif above := _graph_run(forest, index):
            found.setdefault(forest.parent[index], Run(above, Strength.NODE))
    return found


def _node_run(span: Span) -> str:
    named = clean(entry(span.attributes, "lc_agent_name"))
    node = node_of(span.attributes)
    entity = entity_of(span)
    if named and (node not in INNER_NODES or normal(entity) == normal(named)):
        return named
    return clean(node) if node and node not in INNER_NODES and entity == node else ""


def _graph_run(forest: Forest, index: int) -> str:
    """Name the graph right above an inner model node: that graph is an agent, called like its span."""
    span = forest.spans[index]
    above = forest.parent[index]
    if above == ROOT or node_of(span.attributes) not in _MODEL_NODES or entity_of(span) not in _MODEL_NODES:
        return ""
    outer = forest.spans[above]
    if namespace_of(outer.attributes) == namespace_of(span.attributes) or entity_of(outer) in INNER_NODES:
        return ""
    return clean(entity_of(outer))


def failed(span: Span) -> bool:
    """Tell whether a span failed: an error that only carries control to another node is none."""
    if span.status_code != _STATUS_ERROR:
        return False
    types = [text(event.attributes.get("exception.type")) for event in span.events if event.name == "exception"]
    if types:
        return not all(kind.endswith(_CONTROL_FLOW) for kind in types)
    return not (is_langgraph(span.attributes) and span.status_message.startswith(_CONTROL_MESSAGES))
