"""What a LogQL query says, as values."""

import math
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Matcher:
    """A label compared with a text: `=`, `!=`, `=~`, `!~`. A label that is not there equals the empty text."""

    name: str
    operator: str
    value: str


@dataclass(frozen=True, slots=True)
class NumberTest:
    """A label compared with a number: `==`, `!=`, `>`, `>=`, `<`, `<=`. A duration counts in seconds, as in Loki."""

    name: str
    operator: str
    value: float


@dataclass(frozen=True, slots=True)
class Both:
    """Every part holds."""

    parts: tuple["LabelFilter", ...]


@dataclass(frozen=True, slots=True)
class Either:
    """One part holds."""

    parts: tuple["LabelFilter", ...]


LabelFilter: TypeAlias = Matcher | NumberTest | Both | Either


@dataclass(frozen=True, slots=True)
class LineFilter:
    """`|=`, `!=`, `|~`, `!~` with one text, or several joined by `or`."""

    operator: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Parse:
    """Labels read from the line: `json` or `logfmt`."""

    form: str


@dataclass(frozen=True, slots=True)
class Pick:
    """Labels dropped (`drop`) or the only ones kept (`keep`)."""

    drops: bool
    names: frozenset[str]


Stage: TypeAlias = LineFilter | LabelFilter | Parse | Pick


@dataclass(frozen=True, slots=True)
class LogSelection:
    """`{matchers} stages`."""

    matchers: tuple[Matcher, ...]
    stages: tuple[Stage, ...] = ()


@dataclass(frozen=True, slots=True)
class Metric:
    """`count_over_time` or `rate` of a selection over `range_ns`, summed by labels; `by` None: one series a stream."""

    function: str
    selection: LogSelection
    range_ns: int
    by: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Constant:
    """A number that is the same at any time: `vector(1)+vector(1)`."""

    value: float

    @property
    def text(self) -> str:
        """The number as Prometheus writes a sample: every digit, `NaN`, `+Inf`."""
        if not math.isfinite(self.value):
            return "NaN" if math.isnan(self.value) else f"{self.value:+}".title()
        return str(int(self.value)) if self.value.is_integer() else repr(self.value)


LogQl: TypeAlias = LogSelection | Metric | Constant
