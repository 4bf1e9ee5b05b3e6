"""Values bound to a query: texts escaped, unsigned integers as what is stored, ids as bytes."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from storage.postgres.texts import escape, escape_text
from storage.postgres.unsigned import MAX_UINT64, OFFSET, to_bigint
from storage.queries import TimeRange


class Bindings:
    """Collects parameters; each method returns the SQL that stands for the value."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters bound so far."""
        return self._values

    def copy(self) -> "Bindings":
        """Return bindings that start with the same values."""
        other = Bindings()
        other._values = dict(self._values)
        return other

    def text(self, value: str | bytes) -> str:
        """Bind a text of any content."""
        return self._bind(escape(value) if isinstance(value, bytes) else escape_text(value), "text")

    def texts(self, values: Sequence[str]) -> str:
        """Bind texts as an array."""
        return self._bind([escape_text(value) for value in values], "text[]")

    def pattern(self, value: str) -> str:
        """Bind a text that is not escaped: a regular expression."""
        return self._bind(value, "text")

    def raw(self, value: bytes) -> str:
        """Bind bytes."""
        return self._bind(value, "bytea")

    def raws(self, values: Sequence[bytes]) -> str:
        """Bind byte strings as an array."""
        return self._bind(list(values), "bytea[]")

    def ids(self, values: Sequence[bytes]) -> str:
        """Bind 16-byte ids as an array of uuid."""
        return self._bind([UUID(bytes=value) for value in values], "uuid[]")

    def unsigned(self, value: int) -> str:
        """Bind an unsigned integer as it is stored; values outside are moved to the nearest."""
        return self._bind(to_bigint(value), "bigint")

    def number(self, value: int | float) -> str:
        """Bind a number of any size, exactly."""
        return self._bind(str(value), "numeric")

    def double(self, value: float) -> str:
        """Bind a double."""
        return self._bind(value, "float8")

    def integer(self, value: int) -> str:
        """Bind an integer of 64 bits."""
        return self._bind(value, "bigint")

    def _bind(self, value: object, kind: str) -> str:
        name = f"p{len(self._values)}"
        self._values[name] = value
        return f"%({name})s::{kind}"


def time_sql(column: str, time: TimeRange, bindings: Bindings) -> str:
    """Return SQL for `time.start <= column < time.end`; an end beyond 64 bits is open."""
    parts = [f"{column} >= {bindings.unsigned(time.start)}"]
    if time.end <= MAX_UINT64:
        parts.append(f"{column} < {bindings.unsigned(time.end)}")
    return "(" + " AND ".join(parts) + ")"


def service_sql(service_name: str, bindings: Bindings) -> str:
    """Return SQL for "of this service" that the index understands."""
    name = bindings.text(service_name)
    return f'(hashtext(service_name) = hashtext({name} COLLATE "C") AND service_name = {name})'


def step_sql(column: str, step: int) -> tuple[str, int]:
    """Return (SQL, base): the number of the step that a stored uint64 falls in is the SQL's value plus base.

    stored = time - 2**63, and 2**63 = base * step + rest; written so that no sum leaves 64 bits.
    """
    base, rest = divmod(OFFSET, step)
    low, high = f"({column} + {rest})", f"({column} - {step - rest})"
    return (
        f"CASE WHEN {column} < 0 THEN {_floor(low, step)} ELSE {_floor(high, step)} + 1 END",
        base,
    )


def _floor(value: str, step: int) -> str:
    return f"({value} / {step} - CASE WHEN mod({value}, {step}) < 0 THEN 1 ELSE 0 END)"
