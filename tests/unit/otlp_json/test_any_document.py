"""OTLP/JSON of any content: every message survives, everything else is rejected, nothing crashes."""

import base64
import json
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.errors import Rejected
from collector.otlp.json import to_protobuf
from storage.queries import Signal
from tests import otlp_messages
from tests.unit.otlp_json.documents import one_span

IDS = ("traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id")


def hex_ids(value: Any) -> Any:
    """Write ids as OTLP/JSON does; protobuf's own JSON has them in base64."""
    if isinstance(value, list):
        return [hex_ids(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: base64.b64decode(item).hex() if name in IDS else hex_ids(item) for name, item in value.items()}


def as_json(message: Message, snake_case: bool) -> bytes:
    document = json_format.MessageToDict(message, use_integers_for_enums=True, preserving_proto_field_name=snake_case)
    return json.dumps(hex_ids(document)).encode()


def complaint(body: bytes) -> str:
    """Return what a body is rejected for, or nothing; any other error is a failure."""
    try:
        to_protobuf(Signal.TRACES, body)
    except Rejected as error:
        return str(error)
    return ""


@given(otlp_messages.traces_data, st.booleans())
def test_every_trace_message_survives(message: Message, snake_case: bool) -> None:
    body = as_json(message, snake_case)
    serialised = to_protobuf(Signal.TRACES, body)
    assert ExportTraceServiceRequest.FromString(serialised).SerializeToString(deterministic=True) == (
        message.SerializeToString(deterministic=True)
    )


@given(otlp_messages.logs_data, st.booleans())
def test_every_logs_message_survives(message: Message, snake_case: bool) -> None:
    body = as_json(message, snake_case)
    serialised = to_protobuf(Signal.LOGS, body)
    assert ExportLogsServiceRequest.FromString(serialised).SerializeToString(deterministic=True) == (
        message.SerializeToString(deterministic=True)
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["key", "value", "kind", *IDS]), inner),
    max_leaves=5,
)


@given(st.sampled_from(["attributes", "kind", "name", "events", "traceId", "status", "flags", "links"]), json_values)
def test_any_value_in_any_field_is_converted_or_rejected_with_its_path(field: str, value: object) -> None:
    problem = complaint(json.dumps(one_span(**{field: value})).encode())
    assert problem == "" or field in problem or "not JSON" in problem


@given(st.binary(max_size=40).filter(lambda body: b"{" not in body))
def test_bytes_that_are_no_json_are_rejected(body: bytes) -> None:
    assert complaint(body)
