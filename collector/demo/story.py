"""The conversations: what customers want, and which agents and services it takes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from opentelemetry.trace import Span, SpanKind

from collector.demo.acts import Turn, agent_run, database, hand_over, think, tool, transfer_tool, workflow
from collector.demo.cast import (
    BILLING,
    BILLING_AGENT,
    CUSTOMERS,
    DESK,
    GATEWAY,
    ORDERS,
    ORDERS_AGENT,
    PAYMENTS,
    RISK,
    RISK_AGENT,
    TRIAGE,
    WEB,
    WRITER,
)
from collector.demo.stage import Stage


@dataclass(frozen=True, slots=True)
class Told:
    """One turn that was told. `transfers` counts what a reader should find in it."""

    title: str
    conversation_id: str
    trace_id: str
    transfers: int


def refund(turn: Turn) -> int:
    """A double charge: triage → billing, billing asks risk, the payment fails once, billing gives back to triage."""
    with workflow(turn, "support_desk"):
        with agent_run(turn, TRIAGE):
            hand_over(turn, TRIAGE, BILLING_AGENT, "the customer was charged twice")
        with agent_run(turn, BILLING_AGENT):
            think(turn, BILLING_AGENT, "tool_calls")
            _invoice(turn)
            think(turn, BILLING_AGENT, "tool_calls")
            _ask_risk(turn)
            _pay_back(turn, works=False)
            think(turn, BILLING_AGENT, "tool_calls")
            _pay_back(turn, works=True)
            hand_over(turn, BILLING_AGENT, TRIAGE, "the refund is on its way")
        with agent_run(turn, TRIAGE):
            think(turn, TRIAGE)
    return 3


def parcel(turn: Turn) -> int:
    """A late parcel: triage → orders, which looks it up and lets a writer phrase the answer."""
    with workflow(turn, "support_desk"):
        with agent_run(turn, TRIAGE):
            hand_over(turn, TRIAGE, ORDERS_AGENT, "where is the parcel")
        with agent_run(turn, ORDERS_AGENT):
            think(turn, ORDERS_AGENT, "tool_calls")
            _track(turn)
            think(turn, ORDERS_AGENT, "tool_calls")
            with tool(turn, ORDERS_AGENT, "ask_writer", {"task": "a friendly answer in three sentences"}):
                turn.stage.log(DESK, "INFO", f"Agent {ORDERS_AGENT.name} delegates to Agent {WRITER.name}")
                with agent_run(turn, WRITER):
                    think(turn, WRITER)
            think(turn, ORDERS_AGENT)
    return 2


def question(turn: Turn) -> int:
    """An easy question: triage answers it alone."""
    with workflow(turn, "support_desk"), agent_run(turn, TRIAGE):
        think(turn, TRIAGE, "tool_calls")
        with tool(turn, TRIAGE, "search_help_pages", {"query": "opening hours"}):
            turn.stage.wait(20, 80)
        think(turn, TRIAGE)
    return 0


def angry(turn: Turn) -> int:
    """A customer asks for a person, and nobody is there: the transfer is asked for and never happens."""
    with workflow(turn, "support_desk"), agent_run(turn, TRIAGE):
        think(turn, TRIAGE, "tool_calls")
        with transfer_tool(turn, TRIAGE, "human_agent", "the customer asks for a person") as span:
            turn.stage.wait(900, 1500)
            Stage.fail(span, "NoOperatorOnline", "no operator is online", turn.stage.now)
            turn.stage.log(DESK, "ERROR", "no operator is online", queue="support", waiting=3)
        think(turn, TRIAGE)
    return 1


@dataclass(frozen=True, slots=True)
class Scene:
    """What one message of a customer can set off."""

    topic: str
    title: str
    play: Callable[[Turn], int]


SCENES = (
    Scene("refund", "a refund: handoff, an agent in another service, a failed payment, handing back", refund),
    Scene("parcel", "a late parcel: handoff, then delegation", parcel),
    Scene("question", "an easy question: no transfer", question),
    Scene("escalation", "a transfer that is asked for and never happens", angry),
)
CONVERSATION_NS = 120_000_000_000  # longer than three turns can take


def tell(stage: Stage, conversations: int) -> Iterator[Told]:
    """Tell conversations of one to three turns each, evenly over the time before the stage's `now`.

    The first ones open with every kind of scene.
    """
    rng, end = stage.rng, stage.now
    for number in range(conversations):
        stage.now = end - (conversations - number) * CONVERSATION_NS
        customer = rng.choice(CUSTOMERS)
        conversation_id = f"conv-{rng.getrandbits(48):012x}"
        opening = SCENES[number] if number < len(SCENES) else rng.choice(SCENES)
        for scene in (opening, *rng.sample(SCENES, k=rng.randint(0, 2))):
            turn = Turn(stage, conversation_id, customer)
            with _message(turn, scene.topic) as span:
                trace_id = span.get_span_context().trace_id
                transfers = scene.play(turn)
            yield Told(scene.title, conversation_id, f"{trace_id:032x}", transfers)
            stage.wait(3_000, 9_000)


@contextmanager
def _message(turn: Turn, topic: str) -> Iterator[Span]:
    """A customer's message on its way from the browser to the agents and back."""
    stage, size = turn.stage, turn.stage.rng.randint(40, 400)
    attributes = {"http.request.method": "POST", "http.route": "/chat", "url.path": "/chat", "user.id": turn.user}
    with stage.span(WEB, "POST /chat", attributes, SpanKind.SERVER) as root:
        stage.wait(1, 4)
        with stage.call(WEB, GATEWAY, "POST /v1/messages"):
            stage.log(GATEWAY, "INFO", "message accepted", topic=topic, bytes=size)
            with stage.span(GATEWAY, "check token", {"user.id": turn.user}):
                stage.wait(0.5, 2)
            with stage.call(GATEWAY, DESK, "POST /converse"):
                yield root
        root.set_attribute("http.response.status_code", 200)
        stage.log(WEB, "INFO", f"POST /chat 200 for {turn.user}", topic=topic)


def _track(turn: Turn) -> None:
    looked_up = tool(turn, ORDERS_AGENT, "track_parcel", {"order": "A-1042"})
    with looked_up, turn.stage.call(DESK, ORDERS, "GET /orders/{id}/parcel"):
        database(turn, ORDERS, "SELECT carrier, state FROM parcels WHERE order_id = $1")


def _invoice(turn: Turn) -> None:
    found = tool(turn, BILLING_AGENT, "find_invoice", {"order": "A-1042"})
    with found, turn.stage.call(DESK, BILLING, "GET /invoices/{id}"):
        database(turn, BILLING, "SELECT id, amount, currency FROM invoices WHERE order_id = $1")
        turn.stage.log(BILLING, "WARN", "two charges for one invoice", invoice="R-7719", charges=2)


def _ask_risk(turn: Turn) -> None:
    with tool(turn, BILLING_AGENT, "ask_risk_agent", {"question": "is this refund safe?", "amount": 49.9}):
        turn.stage.log(DESK, "INFO", f"Transferring to agent: {RISK_AGENT.name}")
        with turn.stage.call(DESK, RISK, "POST /invoke"), agent_run(turn, RISK_AGENT):
            database(turn, RISK, "SELECT score FROM risk_scores WHERE customer = $1")
            think(turn, RISK_AGENT)


def _pay_back(turn: Turn, works: bool) -> None:
    stage = turn.stage
    with tool(turn, BILLING_AGENT, "issue_refund", {"invoice": "R-7719", "amount": 49.9}) as span:
        with stage.call(DESK, PAYMENTS, "POST /refunds", 201 if works else 503) as server:
            stage.wait(40, 120)
            if not works:
                Stage.fail(server, "UpstreamTimeout", "the card network did not answer", stage.now)
                stage.log(PAYMENTS, "ERROR", "the card network did not answer", provider="cards", timeout_ms=3000)
        if not works:
            Stage.fail(span, "ToolError", "refund service answered 503", stage.now)
            stage.log(DESK, "WARN", "refund failed, trying again", attempt=1)
