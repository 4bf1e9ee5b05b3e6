"""Settings of the processors."""

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field

from collector.config.errors import unknown
from collector.config.values import Duration, Section, setting
from collector.processors.agent_transfers.options import (
    DEFAULT_LOG_PATTERNS,
    InvalidLogPattern,
    Options,
    compile_log_pattern,
    make_options,
)
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

    @classmethod
    def misfits(cls, written: Any) -> Iterator[tuple[str, str]]:
        """Yield rules that there are not, and patterns that cannot be used."""
        patterns, rules = _mapping(written, "patterns"), _mapping(written, "rules")
        known = sorted({*RULE_NAMES, *patterns})
        for name in rules:
            if name not in known:
                yield f"rules.{name}", unknown(name, known, "rule")
        for name in patterns:
            if name in RULE_NAMES:
                yield f"patterns.{name}", f'"{name}" is the name of a built-in rule; name the pattern otherwise'
            expression = _mapping(patterns, name).get("expression")
            try:
                if isinstance(expression, str):
                    compile_log_pattern(name, "handoff", expression)
            except InvalidLogPattern as error:
                yield f"patterns.{name}.expression", str(error)

    def options(self) -> Options:
        """Return what the rules take."""
        own = [(name, pattern.kind, pattern.expression) for name, pattern in self.patterns.items()]
        off = [name for name, on in self.rules.items() if not on]
        return make_options([*DEFAULT_LOG_PATTERNS, *own], off, self.min_confidence)


def _mapping(written: Any, key: str) -> dict[str, Any]:
    """Return the mapping at a key of a mapping; nothing when either is something else, which is said already."""
    found = written.get(key) if isinstance(written, dict) else None
    return found if isinstance(found, dict) else {}


PROCESSORS: dict[str, type[AgentTransfers]] = {"agent_transfers": AgentTransfers}
