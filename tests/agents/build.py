"""A few words to write traces down in tests: nested spans with attributes, times in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass, field

from collector.processors.agent_transfers.detect import Options, detect
from collector.processors.agent_transfers.model import Event, Link, LogRecord, Span, Transfer, Value

MS = 1_000_000
T0 = 1_800_000_000_000 * MS


@dataclass
class Trace:
    """Spans of one trace, written top down: a span is made, and given as `parent` to those below it."""

    number: int = 1
    scope: str = "acme.tracer"
    service: str = "app"
    spans: list[Span] = field(default_factory=list)

    @property
    def trace_id(self) -> bytes:
        return self.number.to_bytes(16, "big")

    def span(
        self,
        name: str,
        start: float,
        end: float,
        attributes: dict[str, Value] | None = None,
        parent: Span | None = None,
        scope: str | None = None,
        service: str | None = None,
        events: tuple[Event, ...] = (),
        links: tuple[Link, ...] = (),
        error: bool = False,
    ) -> Span:
        """Add a span and return it, so that others can be put below it."""
        span = Span(
            trace_id=self.trace_id,
            span_id=(self.number * 1000 + len(self.spans) + 1).to_bytes(8, "big"),
            parent_span_id=parent.span_id if parent else b"",
            name=name,
            kind=1,
            start_time_unix_nano=T0 + round(start * MS),
            end_time_unix_nano=T0 + round(end * MS),
            status_code=2 if error else 0,
            status_message="",
            attributes=attributes or {},
            events=events,
            links=links,
            service_name=self.service if service is None else service,
            scope_name=self.scope if scope is None else scope,
            resource_attributes={},
        )
        self.spans.append(span)
        return span

    def agent(self, name: str, start: float, end: float, parent: Span | None = None, **more: Value) -> Span:
        """Add an agent run as OTel GenAI writes it, with one model call in it."""
        run = self.span(
            f"invoke_agent {name}", start, end, genai("invoke_agent", **{"agent.name": name, **more}), parent
        )
        self.span("chat m", start, start + 1, genai("chat", **{"request.model": "m"}), run)
        return run

    def tool(self, name: str, start: float, end: float, parent: Span | None = None, **more: Value) -> Span:
        """Add a tool call as OTel GenAI writes it."""
        return self.span(
            f"execute_tool {name}", start, end, genai("execute_tool", **{"tool.name": name, **more}), parent
        )


def genai(operation: str, **more: Value) -> dict[str, Value]:
    """Return OTel GenAI attributes; keys are given without their prefix."""
    return {"gen_ai.operation.name": operation, **{f"gen_ai.{key}": value for key, value in more.items()}}


def log(
    body: Value,
    at: float = 0,
    span: Span | None = None,
    severity: int = 9,
    keys: dict[str, Value] | None = None,
) -> LogRecord:
    """Return a log record, written in a span or outside any trace."""
    return LogRecord(
        trace_id=span.trace_id if span else b"",
        span_id=span.span_id if span else b"",
        time_unix_nano=T0 + round(at * MS),
        severity_number=severity,
        body=body,
        attributes=keys or {},
        service_name="app",
        scope_name="orchestrator",
        event_name="",
    )


def rows(*traces: Trace, logs: tuple[LogRecord, ...] = (), options: Options | None = None) -> list[Transfer]:
    """Detect over traces of one group."""
    return detect([span for trace in traces for span in trace.spans], list(logs), options or Options())


def told(found: list[Transfer]) -> list[tuple[str, str, str, bool]]:
    """Return what the rows say in short: from, to, kind, completed."""
    return [(row.from_agent, row.to_agent, row.kind, row.completed) for row in found]
