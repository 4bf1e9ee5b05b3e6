"""Agents that run one after the other in a workflow. Only the order says so, hence the low confidence."""

from __future__ import annotations

from collections.abc import Iterator

from collector.processors.agent_transfers.activations import Activation
from collector.processors.agent_transfers.blocks import Edge, find_edges
from collector.processors.agent_transfers.claims import Claims
from collector.processors.agent_transfers.group import Group
from collector.processors.agent_transfers.identity import langgraph
from collector.processors.agent_transfers.names import normal, same_agent
from collector.processors.agent_transfers.rules.trigger import GRAPH_EDGE, RETURN, SEQUENCE, Trigger
from collector.processors.agent_transfers.semantics import normal_operation
from collector.processors.agent_transfers.tree import ROOT
from collector.processors.agent_transfers.values import strings, text

RULE = "agent_sequence"

_MAX_RETURN_DEPTH = 32
_GENERAL_RECORDERS = ("langsmith", "langfuse", "opentelemetry.sdk", "traceloop.tracer", "mlflow", "opik", "braintrust")


def find(claims: Claims) -> Iterator[tuple[Activation, Trigger]]:
    """Yield every unclaimed run that directly follows another agent's in one workflow; the earlier is the trigger."""
    waited_for = {number for number, trigger in claims.by_run.items() if trigger.waits}
    declared: dict[int, set[tuple[str, ...]]] = {}
    for edge in find_edges(claims.group, waited_for):
        before, after = edge.before, edge.after
        if (
            after.number in claims.by_run
            or same_agent(before.name, after.name)
            or not _same_workflow(claims.group, edge)
        ):
            continue
        if _declared_otherwise(claims.group, edge, declared):
            continue
        yield (
            after,
            follow(claims, before, after, RULE, _kind(claims.group, edge.container), _confidence(claims.group, edge)),
        )


def follow(claims: Claims, before: Activation, after: Activation, rule: str, kind: str, confidence: float) -> Trigger:
    """Build the trigger of a run that follows another; it is a return when control had come from that agent."""
    returns = comes_back(claims, before, after)
    return Trigger(
        rule=rule,
        kind=RETURN if returns else kind,
        index=before.top,
        time=after.start,
        end=after.start,
        source=before.name,
        source_run=before.number,
        target=after.name,
        confidence=confidence,
        source_id=before.agent_id,
        target_run=after.number,
    )


def comes_back(claims: Claims, before: Activation, after: Activation) -> bool:
    """Tell whether `after` is an agent that, directly or over others, had explicitly handed over to `before`."""
    at = before.number
    for _ in range(_MAX_RETURN_DEPTH):
        trigger = claims.by_run.get(at)
        if trigger is None:
            return False
        if same_agent(trigger.source, after.name):
            return True
        at = trigger.source_run
    return False


def _same_workflow(group: Group, edge: Edge) -> bool:
    """An application's span around two agents proves nothing; the framework's own and one conversation do."""
    left, right = edge.before.conversation, edge.after.conversation
    if left and left == right:
        return True
    if edge.container in group.activations.wrappers or _runs_agents(group, edge.container):
        return True
    return not (left and right) and _of_one_scope(group, edge)


def _runs_agents(group: Group, container: int) -> bool:
    return normal_operation(text(group.forest.spans[container].attributes.get("gen_ai.operation.name"))) == "workflow"


def _of_one_scope(group: Group, edge: Edge) -> bool:
    """Tell whether the container is the work of an instrumentation that also recorded both runs.

    Some write application code and agents with one scope; there only nodes of one graph are known to follow each other.
    """
    scope = group.forest.spans[edge.container].scope_name
    if scope.lower().startswith(_GENERAL_RECORDERS):
        return all(langgraph.node_of(group.forest.spans[run.top].attributes) for run in (edge.before, edge.after))
    return bool(scope) and _recorded_by(group, edge.before, scope) and _recorded_by(group, edge.after, scope)


def _recorded_by(group: Group, run: Activation, scope: str) -> bool:
    return any(group.forest.spans[member].scope_name == scope for member in run.members)


def _declared_otherwise(group: Group, edge: Edge, declared: dict[int, set[tuple[str, ...]]]) -> bool:
    """Tell whether the graph declares its edges and this is none of them; `declared` keeps those of each span."""
    above = edge.container
    for _ in range(3):
        if above == ROOT:
            return False
        if above not in declared:
            told = strings(group.forest.spans[above].attributes.get("gen_ai.workflow.edges"))
            declared[above] = {tuple(normal(end) for end in text(item).split("->", 1)) for item in told}
        if pairs := declared[above]:
            return not any((left, right) in pairs for left in edge.before.aliases for right in edge.after.aliases)
        above = group.forest.parent[above]
    return False


def _kind(group: Group, container: int) -> str:
    span = group.forest.spans[container]
    graph = "graph" in span.name.lower() or "graph" in span.scope_name.lower() or "langchain" in span.scope_name
    return GRAPH_EDGE if graph else SEQUENCE


def _confidence(group: Group, edge: Edge) -> float:
    return 0.65 if edge.container in group.activations.wrappers or _of_one_scope(group, edge) else 0.55
