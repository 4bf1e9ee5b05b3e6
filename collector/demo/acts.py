"""What agents do, as the OpenTelemetry GenAI conventions tell it: run, ask a model, use a tool, hand over."""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from opentelemetry.trace import Span, SpanKind

from collector.demo.cast import DESK, MODELS, PROVIDERS, Agent
from collector.demo.stage import Attributes, Stage


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a customer and everything it sets off: one trace."""

    stage: Stage
    conversation_id: str
    user: str

    def common(self) -> dict[str, str]:
        """Return the attributes of every agentic span."""
        return {"gen_ai.conversation.id": self.conversation_id, "user.id": self.user}


@contextmanager
def workflow(turn: Turn, name: str) -> Iterator[Span]:
    """Run the workflow that the agents of a turn belong to."""
    attributes = {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": name, **turn.common()}
    with turn.stage.span(DESK, f"invoke_workflow {name}", attributes) as span:
        turn.stage.wait(1, 4)
        yield span


@contextmanager
def agent_run(turn: Turn, agent: Agent) -> Iterator[Span]:
    """Run an agent."""
    attributes = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": PROVIDERS[agent.model],
        "gen_ai.agent.name": agent.name,
        "gen_ai.agent.id": agent.id,
        "gen_ai.request.model": agent.model,
        **turn.common(),
    }
    with turn.stage.span(agent.service, f"invoke_agent {agent.name}", attributes) as span:
        turn.stage.log(agent.service, "INFO", f"{agent.name} takes over", **{"gen_ai.agent.name": agent.name})
        turn.stage.wait(2, 9)
        yield span


def think(turn: Turn, agent: Agent, finish: str = "stop") -> None:
    """Let an agent ask its model once, through the model gateway."""
    stage = turn.stage
    read, written = stage.rng.randint(600, 4200), stage.rng.randint(40, 520)
    attributes: dict[str, str | float] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": PROVIDERS[agent.model],
        "gen_ai.agent.name": agent.name,
        "gen_ai.request.model": agent.model,
        "gen_ai.request.temperature": 0.2,
        **turn.common(),
    }
    with stage.span(agent.service, f"chat {agent.model}", attributes, SpanKind.CLIENT) as span:
        with stage.call(agent.service, MODELS, "POST /v1/chat/completions") as server:
            stage.wait(350, 1900)
            server.set_attribute("gateway.cache", "miss" if stage.rng.random() < 0.8 else "hit")
        span.set_attribute("gen_ai.response.model", f"{agent.model}-2026-08-01")
        span.set_attribute("gen_ai.response.id", f"resp-{stage.rng.getrandbits(48):012x}")
        span.set_attribute("gen_ai.response.finish_reasons", [finish])
        span.set_attribute("gen_ai.usage.input_tokens", read)
        span.set_attribute("gen_ai.usage.cache_read.input_tokens", read // 3)
        span.set_attribute("gen_ai.usage.output_tokens", written)


@contextmanager
def tool(turn: Turn, agent: Agent, name: str, arguments: Attributes, description: str = "") -> Iterator[Span]:
    """Run a tool that the model asked for."""
    attributes = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": name,
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": f"call_{turn.stage.rng.getrandbits(40):010x}",
        "gen_ai.tool.call.arguments": json.dumps(arguments),
        "gen_ai.agent.name": agent.name,
        **({"gen_ai.tool.description": description} if description else {}),
        **turn.common(),
    }
    with turn.stage.span(agent.service, f"execute_tool {name}", attributes) as span:
        turn.stage.wait(1, 5)
        yield span


def hand_over(turn: Turn, source: Agent, target: Agent, reason: str) -> None:
    """Let an agent hand the conversation to another, which has to run next."""
    think(turn, source, "tool_calls")
    with transfer_tool(turn, source, target.name, reason) as span:
        span.set_attribute("gen_ai.tool.call.result", json.dumps({"assistant": target.name}))
        turn.stage.log(source.service, "INFO", f"[Agent Transfer] {source.name} → {target.name}")


def transfer_tool(turn: Turn, source: Agent, target: str, reason: str) -> AbstractContextManager[Span]:
    """Run the tool by which an agent hands over."""
    return tool(turn, source, f"transfer_to_{target}", {"reason": reason}, f"Handoff to {target}.")


def database(turn: Turn, service: str, statement: str) -> None:
    """Ask a service's database."""
    verb, table = statement.partition(" ")[0], statement.rsplit(" FROM ", maxsplit=1)[-1].split(maxsplit=1)[0]
    attributes = {
        "db.system.name": "postgresql",
        "db.namespace": "shop",
        "db.operation.name": verb,
        "db.collection.name": table,
        "db.query.text": statement,
        "server.address": "postgres",
    }
    with turn.stage.span(service, f"{verb} {table}", attributes, SpanKind.CLIENT):
        turn.stage.wait(2, 25)
