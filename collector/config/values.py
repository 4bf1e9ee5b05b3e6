"""The value types of the configuration: durations, sizes, endpoints, and the base of every section."""

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    PlainSerializer,
    TypeAdapter,
    WithJsonSchema,
)

UNIT_MICROSECONDS = {
    "us": 1,
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
}
DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:us|ms|s|m|h|d))+")
DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s|m|h|d)")
ENDPOINT = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.%]+)\]|(?P<host>[^\[\]:/\s]*)):(?P<port>\d{1,5})")
BYTE_SIZE = TypeAdapter(ByteSize)


class Section(BaseModel):
    """A mapping of the configuration: unknown keys are errors, values are never coerced."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, validate_default=True)

    @classmethod
    def as_meant(cls, written: Any) -> Any:
        """Return what a user wrote in the form that the fields describe."""
        return written

    @classmethod
    def misfits(cls, written: Any) -> Iterator[tuple[str, str]]:  # noqa: ARG003 - for those that override it
        """Yield key and fault of what a user wrote that does not fit other keys; also when other keys are wrong."""
        yield from ()


def parse_duration(value: object) -> timedelta:
    """Read "500ms", "5s", "1h30m" or "7d"."""
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str) or not DURATION.fullmatch(value):
        msg = 'write a duration with its unit, such as "500ms", "5s", "1h30m" or "7d"'
        raise ValueError(msg)
    try:
        parts = [timedelta(microseconds=float(n) * UNIT_MICROSECONDS[unit]) for n, unit in DURATION_PART.findall(value)]
        return sum(parts, timedelta())
    except OverflowError:
        msg = "this duration is too long"
        raise ValueError(msg) from None


def format_duration(value: timedelta) -> str:
    """Write a duration in the largest unit that leaves a whole number."""
    microseconds = value // timedelta(microseconds=1)
    for unit in ("d", "h", "m", "s", "ms"):
        if microseconds and microseconds % UNIT_MICROSECONDS[unit] == 0:
            return f"{microseconds // UNIT_MICROSECONDS[unit]}{unit}"
    return f"{microseconds}us" if microseconds else "0s"


def parse_size(value: object) -> int:
    """Read "64MiB", "10GB" or a number of bytes."""
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        try:
            return int(BYTE_SIZE.validate_python(value))
        except ValueError:
            pass
    msg = 'write a size such as "64MiB" or "10GB", or a number of bytes'
    raise ValueError(msg)


def format_size(value: int) -> str | int:
    """Write a size in the largest binary unit that leaves a whole number, or in bytes."""
    for unit, shift in (("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if value and value % (1 << shift) == 0:
            return f"{value >> shift}{unit}"
    return value


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens. Port 0 means "any free port"; an IPv6 host has no brackets here."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether what is sent there stays on this machine; names other than "localhost" are not looked up."""
        try:
            return ipaddress.ip_address("::1" if self.host.lower() == "localhost" else self.host).is_loopback
        except ValueError:
            return False

    def collides(self, other: "Address") -> bool:
        """Tell whether only one of the two can be listened on; names other than "localhost" are not looked up."""
        mine, others = _interfaces(self.host), _interfaces(other.host)
        return self.port != 0 and self.port == other.port and (not mine or not others or not mine.isdisjoint(others))


def _interfaces(host: str) -> frozenset[str]:
    """Return the addresses of a host; none stands for every interface."""
    if host.lower() == "localhost":
        return frozenset({"127.0.0.1", "::1"})
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return frozenset({host.lower()})
    return frozenset() if address.is_unspecified else frozenset({str(address)})


def parse_address(value: object) -> Address:
    """Read "host:port", "[::1]:port" or ":port" (every interface, as in the Collector)."""
    if isinstance(value, Address):
        return value
    match = ENDPOINT.fullmatch(value) if isinstance(value, str) else None
    if match is None or int(match["port"]) > 65535:
        msg = 'write "host:port", such as "localhost:4317" or "0.0.0.0:4317"'
        raise ValueError(msg)
    return Address(match["v6"] or match["host"] or "0.0.0.0", int(match["port"]))  # noqa: S104 - the user asked for it


_WRITTEN = (
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"title": "duration"}),
)
Duration = Annotated[timedelta, *_WRITTEN]
# With the limit of a field that may be null, pydantic's message would show it as Python does.
PositiveDuration = Annotated[timedelta, Field(gt=timedelta(0)), *_WRITTEN]
Size = Annotated[
    int,
    BeforeValidator(parse_size),
    PlainSerializer(format_size, return_type=str | int),
    WithJsonSchema({"title": "size"}),
]
Endpoint = Annotated[
    Address,
    BeforeValidator(parse_address),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"title": "endpoint"}),
]


def setting(default: str | None, **field: Any) -> Any:
    """Return a pydantic `Field` whose default is what a user would write, such as "64MiB"; it is validated as such."""
    return Field(default=default, **field)
