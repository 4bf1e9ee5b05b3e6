"""Settings of the processors."""

from typing import Literal, Self

from pydantic import Field, model_validator

from collector.config.values import Duration, Section, setting
from collector.processors.agent_transfers.options import DEFAULT_LOG_PATTERNS, Options, make_options
from collector.processors.agent_transfers.rules.registry import RULE_NAMES


class LogLinePattern(Section):
    """A log line that tells of a transfer."""

    expression: str = Field(
        description="Regular expression for a whole line, case ignored; group `target`, and `source` if there is one."
    )
    kind: Literal["handoff", "delegation"] = Field(default="handoff", description="What such a line means.")


class AgentTransfers(Section):
    """Finds agent transfers in spans and log records."""

    quiet_period: Duration = setting(
        "2s", description="A trace's transfers are computed once no span of it has arrived for this long."
    )
    min_confidence: float = Field(
        default=0.0, ge=0.0, le=1.0, description="Transfers found with less confidence are not stored."
    )
    rules: dict[str, bool] = Field(
        default={}, description=f"`name: false` switches a rule off: {', '.join(f'`{name}`' for name in RULE_NAMES)}."
    )
    patterns: dict[str, LogLinePattern] = Field(
        default={}, description="Log patterns beside the built-in ones; the name becomes the transfer's `rule`."
    )

    @model_validator(mode="after")
    def _is_usable(self) -> Self:
        known = {*RULE_NAMES, *self.patterns}
        for name in self.rules:
            if name not in known:
                msg = f'there is no rule "{name}"; known: {", ".join(sorted(known))}'
                raise ValueError(msg)
        for name in self.patterns:
            if name in RULE_NAMES:
                msg = f'"{name}" is the name of a built-in rule; name the pattern otherwise'
                raise ValueError(msg)
        self.options()
        return self

    def options(self) -> Options:
        """Return what the rules take. Raises ValueError for a pattern that cannot be used."""
        own = [(name, pattern.kind, pattern.expression) for name, pattern in self.patterns.items()]
        off = [name for name, on in self.rules.items() if not on]
        return make_options([*DEFAULT_LOG_PATTERNS, *own], off, self.min_confidence)


PROCESSORS: dict[str, type[AgentTransfers]] = {"agent_transfers": AgentTransfers}
