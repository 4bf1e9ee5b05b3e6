"""Settings of the processors."""

from pydantic import Field

from collector.config.values import Duration, Section, setting


class AgentTransfers(Section):
    """Finds agent transfers in spans and log records."""

    quiet_period: Duration = setting(
        "2s",
        description="A trace's transfers are computed once no span of it has arrived for this long.",
    )
    min_confidence: float = Field(
        default=0.0, ge=0.0, le=1.0, description="Transfers found with less confidence are not stored."
    )


PROCESSORS: dict[str, type[AgentTransfers]] = {"agent_transfers": AgentTransfers}
