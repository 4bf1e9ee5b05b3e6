"""Spans of agents as OTel GenAI writes them; above all of triage, which hands over to billing."""

import pyarrow as pa
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from storage.queries import Signal
from tests.stored import table

START = 1_800_000_000 * 10**9
SECOND = 10**9

# trace, span, parent (0: none), name, start and end in seconds after START, attributes
Row = tuple[int, int, int, str, float, float, dict[str, str | int]]


def spans(*rows: Row) -> pa.Table:
    """Return a table of spans of one service."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "desk"
    scope = group.scope_spans.add()
    for trace, number, parent, name, start, end, attributes in rows:
        span = scope.spans.add(
            trace_id=trace.to_bytes(16),
            span_id=number.to_bytes(8),
            parent_span_id=parent.to_bytes(8) if parent else b"",
            name=name,
            start_time_unix_nano=START + int(start * SECOND),
            end_time_unix_nano=START + int(end * SECOND),
        )
        for key, value in attributes.items():
            entry = span.attributes.add(key=key).value
            if isinstance(value, int):
                entry.int_value = value
            else:
                entry.string_value = value
    return table(Signal.TRACES, request, received_unix_nano=START)


def agent(name: str, conversation: str = "") -> dict[str, str | int]:
    fields: dict[str, str | int] = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": name}
    return {**fields, "gen_ai.conversation.id": conversation} if conversation else fields


def tool(name: str, arguments: str = "") -> dict[str, str | int]:
    fields: dict[str, str | int] = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name}
    return {**fields, "gen_ai.tool.call.arguments": arguments} if arguments else fields


def call(tokens_in: int, tokens_out: int) -> dict[str, str | int]:
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "m-1",
        "gen_ai.provider.name": "acme",
        "gen_ai.usage.input_tokens": tokens_in,
        "gen_ai.usage.output_tokens": tokens_out,
    }


TRIAGE = (1, 1, 0, "invoke_agent triage", 0.0, 1.0, agent("triage"))
TRIAGE_CALL = (1, 2, 1, "chat m-1", 0.1, 0.4, call(100, 10))
TO_BILLING = tool("transfer_to_agent", '{"agent_name": "billing", "reason": "a refund"}')
HANDOFF = (1, 3, 1, "execute_tool transfer_to_agent", 0.5, 0.6, TO_BILLING)
BILLING = (1, 4, 0, "invoke_agent billing", 1.1, 2.0, agent("billing"))
BILLING_CALL = (1, 5, 4, "chat m-1", 1.2, 1.9, call(200, 20))
