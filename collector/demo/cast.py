"""Who takes part: the services and their versions, the agents and the models they use."""

from dataclasses import dataclass

WEB, GATEWAY, DESK, MODELS = "web-frontend", "api-gateway", "agent-orchestrator", "model-gateway"
BILLING, ORDERS, PAYMENTS, RISK = "billing-service", "order-service", "payment-service", "risk-agent-service"

VERSIONS = {
    WEB: "5.2.0",
    GATEWAY: "2.14.1",
    DESK: "1.8.0",
    MODELS: "0.9.3",
    BILLING: "3.1.4",
    ORDERS: "4.0.2",
    PAYMENTS: "7.7.0",
    RISK: "0.3.1",
}


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent: its name and id as telemetry shows them, the model it asks, and the service it runs in."""

    name: str
    id: str
    model: str
    service: str = DESK


TRIAGE = Agent("triage_agent", "asst_triage_01", "gpt-5-mini")
BILLING_AGENT = Agent("billing_agent", "asst_billing_01", "gpt-5")
ORDERS_AGENT = Agent("orders_agent", "asst_orders_01", "gpt-5-mini")
RISK_AGENT = Agent("risk_agent", "asst_risk_01", "claude-sonnet-5", RISK)
WRITER = Agent("writer_agent", "asst_writer_01", "claude-haiku-5")

PROVIDERS = {"gpt-5": "openai", "gpt-5-mini": "openai", "claude-sonnet-5": "anthropic", "claude-haiku-5": "anthropic"}
CUSTOMERS = ("amira", "bo", "chidi", "dagny", "eero", "fatou", "gael", "hana")
