"""What runs spent: at model calls, or at the run where nothing below it tells."""

from collector.processors.agent_stream.runs import find_runs
from collector.processors.agent_transfers.group import prepare
from collector.processors.agent_transfers.model import Span
from tests.agents.build import Trace, genai

USAGE = {"usage.input_tokens": 100, "usage.output_tokens": 7}


def spent(trace: Trace) -> dict[str, tuple[int | None, int]]:
    runs = find_runs(prepare(trace.spans))
    return {run.agent_name: (run.input_tokens, run.model_calls) for run in runs}


def agent(trace: Trace, name: str, start: int, parent: Span | None = None, **more: int) -> Span:
    attributes = genai("invoke_agent", **{"agent.name": name, "request.model": "m", **more})
    return trace.span(f"invoke_agent {name}", start, 100 - start, attributes, parent)


def test_a_hosted_agent_tells_what_it_spent_itself() -> None:
    trace = Trace()
    root = trace.span("POST /chat", 0, 100)
    agent(trace, "planner", 1, root, **USAGE)
    agent(trace, "writer", 2, root, **USAGE)
    assert spent(trace) == {"planner": (100, 0), "writer": (100, 0)}


def test_figures_of_a_run_are_a_sum_where_something_below_has_figures() -> None:
    trace = Trace()
    lead = agent(trace, "lead", 1, None, **USAGE)
    tool = trace.tool("ask_writer", 2, 90, lead)
    agent(trace, "writer", 3, tool, **{"usage.input_tokens": 60})
    assert spent(trace) == {"lead": (None, 0), "writer": (60, 0)}

    trace = Trace()
    lead = agent(trace, "lead", 1, None, **USAGE)
    trace.span("chat m", 2, 3, genai("chat", **{"request.model": "m", "usage.input_tokens": 40}), lead)
    assert spent(trace) == {"lead": (40, 1)}


def test_model_calls_that_tell_nothing_leave_it_to_the_run() -> None:
    trace = Trace()
    lead = agent(trace, "lead", 1, None, **USAGE)
    trace.span("chat m", 2, 3, genai("chat", **{"request.model": "m"}), lead)
    assert spent(trace) == {"lead": (100, 1)}
