"""Telemetry of a support desk: conversations over several traces, services and signals."""

from dataclasses import dataclass, field

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

T0 = 1_800_000_000 * 10**9
MS = 10**6

ODD = "desk/42 ?#%&ü"  # a conversation id that has to be encoded in a URL
SECOND = "0b9d7f7e-55aa-4c1f-8f3e-1c2d3e4f5a6b"
REFUND, LOOP, PING, PLAIN, LOGGED = (bytes(14) + bytes([number, 0]) for number in range(1, 6))  # ids end in zero bytes

Value = str | int | float | bool


@dataclass
class Telemetry:
    """Spans and log records by service."""

    spans: dict[str, list[Span]] = field(default_factory=dict)
    records: dict[str, list[LogRecord]] = field(default_factory=dict)

    def span(
        self, trace: bytes, number: int, parent: int, name: str, start_ms: int, end_ms: int, **more: object
    ) -> None:
        attributes = more.get("attributes", {})
        error = more.get("error")
        assert isinstance(attributes, dict)
        status = None if error is None else Status(code=Status.STATUS_CODE_ERROR, message=str(error))
        self.spans.setdefault(str(more.get("service", "desk")), []).append(
            Span(
                trace_id=trace,
                span_id=number.to_bytes(8, "little"),  # ends in zero bytes too
                parent_span_id=parent.to_bytes(8, "little") if parent else b"",
                name=name,
                start_time_unix_nano=T0 + start_ms * MS,
                end_time_unix_nano=T0 + end_ms * MS,
                attributes=[key_value(key, value) for key, value in attributes.items()],
                status=status,
            )
        )

    def log(self, at_ms: int, text: str, trace: bytes = b"", span: int = 0, severity: int = 9) -> None:
        self.records.setdefault("desk", []).append(
            LogRecord(
                time_unix_nano=T0 + at_ms * MS,
                trace_id=trace,
                span_id=span.to_bytes(8, "little") if span else b"",
                severity_number=severity,  # type: ignore[arg-type]
                body=AnyValue(string_value=text),
            )
        )

    def traces_message(self) -> bytes:
        groups = [
            ResourceSpans(resource=resource(service), scope_spans=[ScopeSpans(spans=spans)])
            for service, spans in self.spans.items()
        ]
        return ExportTraceServiceRequest(resource_spans=groups).SerializeToString()

    def logs_message(self) -> bytes:
        groups = [
            ResourceLogs(resource=resource(service), scope_logs=[ScopeLogs(log_records=records)])
            for service, records in self.records.items()
        ]
        return ExportLogsServiceRequest(resource_logs=groups).SerializeToString()


def resource(service: str) -> Resource:
    return Resource(attributes=[key_value("service.name", service)])


def key_value(key: str, value: Value) -> KeyValue:
    member = {str: "string", bool: "bool", int: "int", float: "double"}[type(value)]
    return KeyValue(key=key, value=AnyValue(**{f"{member}_value": value}))


def agent(name: str, conversation: str) -> dict[str, Value]:
    return {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": name,
        "gen_ai.conversation.id": conversation,
        "user.id": "amira",
    }


def transfer_to(target: str, conversation: str, reason: str = "") -> dict[str, Value]:
    arguments = f'{{"agent_name": "{target}", "reason": "{reason}"}}'
    return {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "transfer_to_agent",
        "gen_ai.tool.call.arguments": arguments,
        "gen_ai.conversation.id": conversation,
    }


def call(tokens_in: int, tokens_out: int, cost: float) -> dict[str, Value]:
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "m-1",
        "gen_ai.usage.input_tokens": tokens_in,
        "gen_ai.usage.output_tokens": tokens_out,
        "gen_ai.usage.cost": cost,
    }


def refund(told: Telemetry) -> None:
    """triage → billing, whose payment fails in another service; its model call is reported by two instrumentations."""
    told.span(REFUND, 1, 0, "POST /chat", 0, 3000, service="web")
    told.span(REFUND, 2, 1, "invoke_agent triage", 10, 1000, attributes=agent("triage", ODD))
    told.span(REFUND, 3, 2, "chat m-1", 20, 800, attributes=call(100, 10, 0.25))
    moved = transfer_to("billing", ODD, "charged twice")
    told.span(REFUND, 4, 2, "execute_tool transfer_to_agent", 900, 950, attributes=moved)
    told.span(REFUND, 5, 1, "invoke_agent billing", 1010, 2900, attributes=agent("billing", ODD))
    told.span(REFUND, 6, 5, "chat m-1", 1100, 1900, attributes=call(200, 20, 0.5))
    told.span(REFUND, 7, 6, "chat m-1", 1110, 1890, attributes=call(200, 20, 0.5), service="gateway")
    pay = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "pay_back"}
    told.span(REFUND, 8, 5, "execute_tool pay_back", 2000, 2500, attributes=pay, error="503")
    told.span(REFUND, 9, 8, "POST /refunds", 2010, 2490, service="payments", error="card network is down")
    told.log(5, "message accepted", REFUND, 1)
    told.log(2480, "no answer from the card network", REFUND, 9, severity=17)


def loop(told: Telemetry) -> None:
    """The next turn of the conversation: billing → risk → audit → billing, and a notary who never comes."""
    at = 10_000
    for number, (name, target) in enumerate([("billing", "risk"), ("risk", "audit"), ("audit", "billing")]):
        run, start = 10 * number + 1, at + number * 1000
        told.span(LOOP, run, 100, f"invoke_agent {name}", start, start + 900, attributes=agent(name, ODD))
        told.span(LOOP, run + 1, run, "execute_tool t", start + 500, start + 600, attributes=transfer_to(target, ODD))
    told.span(LOOP, 31, 100, "invoke_agent billing", at + 3000, at + 3900, attributes=agent("billing", ODD))
    told.span(LOOP, 32, 31, "execute_tool t", at + 3500, at + 3600, attributes=transfer_to("notary", ODD))
    told.span(LOOP, 100, 0, "POST /chat", at, at + 4000, service="web")


def ping(told: Telemetry) -> None:
    """Another conversation: writer and editor cannot agree."""
    at, names = 20_000, ("writer", "editor")
    told.span(PING, 100, 0, "POST /write", at, at + 9000, service="web")
    for number in range(5):
        run, start, name = 10 * number + 1, at + number * 1000, names[number % 2]
        told.span(PING, run, 100, f"invoke_agent {name}", start, start + 900, attributes=agent(name, SECOND))
        if number < 4:
            moved = transfer_to(names[(number + 1) % 2], SECOND)
            told.span(PING, run + 1, run, "execute_tool t", start + 500, start + 600, attributes=moved)


def rest(told: Telemetry) -> None:
    """A trace without agents, one whose log record alone tells of a transfer, and a record outside any trace."""
    told.span(PLAIN, 1, 0, "GET /health", 30_000, 30_001, service="web")
    told.span(LOGGED, 1, 0, "POST /old", 40_000, 41_000, service="legacy")
    told.log(40_500, "[Agent Transfer] agent-1 → agent-2", LOGGED, 1)
    told.log(50_000, "Agent 7 delegates to agent 8")


def telemetry() -> Telemetry:
    told = Telemetry()
    for tell in (refund, loop, ping, rest):
        tell(told)
    return told
