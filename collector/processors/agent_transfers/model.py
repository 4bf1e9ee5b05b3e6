"""What the transfer rules read and write: spans, log records, transfers, free of any engine or wire format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias, Union

Value: TypeAlias = Union[bool, int, float, str, bytes, "list[Value]", "dict[str, Value]", None]
Attributes: TypeAlias = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Event:
    """A span event."""

    name: str
    time_unix_nano: int
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Link:
    """A span link: the span it points at, usually in another trace."""

    trace_id: bytes
    span_id: bytes
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Span:
    """One span with what the rules need of its resource and scope. Ids are raw bytes; a root has an empty parent id."""

    trace_id: bytes
    span_id: bytes
    parent_span_id: bytes
    name: str
    kind: int
    start_time_unix_nano: int
    end_time_unix_nano: int
    status_code: int
    status_message: str
    attributes: Attributes
    events: tuple[Event, ...]
    links: tuple[Link, ...]
    service_name: str
    scope_name: str
    resource_attributes: Attributes


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One log record. `time_unix_nano` is the record's time, or its observed time when it has none."""

    trace_id: bytes
    span_id: bytes
    time_unix_nano: int
    severity_number: int
    body: Value
    attributes: Attributes
    service_name: str
    scope_name: str
    event_name: str


@dataclass(frozen=True, slots=True)
class Transfer:
    """Work passing from one agent to another.

    `from_agent` is empty when the telemetry does not say who handed over; `trace_id` is the trace of the trigger and
    empty for a log record outside any trace; `target_trace_id` is empty unless it differs from `trace_id`.
    `kind` is one of handoff, delegation, agent_as_tool, graph_edge, sequence, return. `completed` is False when the
    target was asked for but never ran. `id` depends on what happened only, so recomputing yields the same id.
    """

    id: str
    project: str
    trace_id: bytes
    conversation_id: str
    from_agent: str
    to_agent: str
    from_agent_id: str
    to_agent_id: str
    kind: str
    completed: bool
    waits: bool
    time_unix_nano: int
    trigger_span_id: bytes
    target_span_id: bytes
    target_trace_id: bytes
    reason: str
    signal: str
    rule: str
    confidence: float
