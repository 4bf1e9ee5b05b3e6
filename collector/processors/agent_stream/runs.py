"""The runs of agents in one group, with what each spent: every model call is counted once, at the innermost agent."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from collector.processors.agent_transfers.activations import Activation
from collector.processors.agent_transfers.group import Group
from collector.processors.agent_transfers.identity.langgraph import failed
from collector.processors.agent_transfers.model import Span
from collector.processors.agent_transfers.semantics import AgentFields, counted_model_calls, has_counts
from collector.processors.agent_transfers.tree import ROOT

_MAX_INT64 = 2**63 - 1


@dataclass(slots=True)
class AgentRun:
    """One run of an agent. The name is empty for model calls outside any agent of a trace."""

    trace_id: bytes
    span_id: bytes
    service_name: str
    agent_name: str
    agent_id: str
    conversation_id: str
    start_time_unix_nano: int
    end_time_unix_nano: int
    error: bool
    user_id: str = ""
    model: str = ""
    provider: str = ""
    model_calls: int = 0
    tool_calls: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_input_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_usd: float | None = None
    id: str = field(init=False)

    def __post_init__(self) -> None:
        """Name the run by what it is, so that computing it again gives the same id."""
        self.id = hashlib.sha256(self.trace_id + self.span_id + self.agent_name.encode()).hexdigest()[:32]


def find_runs(group: Group) -> list[AgentRun]:
    """Return the runs of a prepared group, ordered by start."""
    spans = group.forest.spans
    counted = counted_model_calls(spans)
    told_alone = _told_alone(group)
    by_number = {activation.number: _run(group, activation) for activation in group.activations.real}
    nameless: dict[bytes, AgentRun] = {}
    for index, span in enumerate(spans):
        fields = group.facts[index].fields
        around = group.activations.around(index)
        spends = (span.trace_id, span.span_id) in counted
        if around is None and not spends:
            continue
        run = by_number[around.number] if around else _outside(nameless, span, fields)
        _account(run, group, index, spends)
        if index in told_alone and not spends:
            _spend(run, fields)
    found = [*by_number.values(), *nameless.values()]
    for run in found:
        _inherit(run, group, group.forest.position[run.trace_id, run.span_id])
    return sorted(found, key=lambda run: (run.start_time_unix_nano, run.id))


def _run(group: Group, activation: Activation) -> AgentRun:
    top = group.forest.spans[activation.top]
    return AgentRun(
        trace_id=top.trace_id,
        span_id=top.span_id,
        service_name=top.service_name,
        agent_name=activation.name,
        agent_id=activation.agent_id,
        conversation_id=activation.conversation,
        start_time_unix_nano=activation.start,
        end_time_unix_nano=max(activation.end, activation.start),
        error=any(failed(group.forest.spans[member]) for member in activation.members),
    )


def _outside(nameless: dict[bytes, AgentRun], span: Span, fields: AgentFields) -> AgentRun:
    run = nameless.get(span.trace_id)
    if run is None:
        run = nameless[span.trace_id] = AgentRun(
            trace_id=span.trace_id,
            span_id=span.span_id,
            service_name=span.service_name,
            agent_name="",
            agent_id="",
            conversation_id=fields.conversation_id,
            start_time_unix_nano=span.start_time_unix_nano,
            end_time_unix_nano=span.start_time_unix_nano,
            error=False,
        )
    run.end_time_unix_nano = max(run.end_time_unix_nano, span.end_time_unix_nano)
    return run


def _inherit(run: AgentRun, group: Group, index: int) -> None:
    """Take the conversation and the user of the spans above, when the run's own say nothing of them."""
    run.conversation_id = run.conversation_id or group.conversation_of(index)
    run.user_id = run.user_id or group.user_of(index)


def _account(run: AgentRun, group: Group, index: int, spends: bool) -> None:
    fields = group.facts[index].fields
    run.user_id = run.user_id or fields.user_id
    if not run.conversation_id and fields.conversation_id and group.tool_above(index) == ROOT:
        run.conversation_id = fields.conversation_id  # what a tool opens is another conversation
    if group.facts[index].is_tool and group.call[index] == index:
        run.tool_calls += 1
    if spends:
        run.model_calls += 1
        _spend(run, fields)


def _told_alone(group: Group) -> set[int]:
    """Return the spans of runs that say what was spent where no span below them does, as hosted agents' do.

    Where one below does, a run's own figures are their sum, or may be: nothing is counted twice.
    """
    telling = {index for index, facts in enumerate(group.facts) if has_counts(facts.fields)}
    around: set[int] = set()
    for index in telling:
        for above in group.forest.ancestors(index):
            if above in around:
                break
            around.add(above)
    members = {member for activation in group.activations.real for member in activation.members}
    return (telling & members) - around


def _spend(run: AgentRun, fields: AgentFields) -> None:
    run.model = run.model or fields.model
    run.provider = run.provider or fields.provider
    run.input_tokens = _sum(run.input_tokens, fields.input_tokens)
    run.output_tokens = _sum(run.output_tokens, fields.output_tokens)
    run.cached_input_tokens = _sum(run.cached_input_tokens, fields.cached_input_tokens)
    run.reasoning_tokens = _sum(run.reasoning_tokens, fields.reasoning_tokens)
    if fields.cost_usd is not None:
        run.cost_usd = (run.cost_usd or 0.0) + fields.cost_usd


def _sum(total: int | None, part: int | None) -> int | None:
    return total if part is None else min((total or 0) + part, _MAX_INT64)
