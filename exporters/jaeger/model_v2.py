"""Spans in Jaeger's older model (`jaeger.api_v2`): tags and references of the v1 JSON, times to the nanosecond.

Every span carries its own process.
Source: collector-contrib `pkg/translator/jaeger/traces_to_jaegerproto.go`.
"""

from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from exporters.jaeger.generated import api_v2_pb2 as pb
from exporters.jaeger.tags import Tag, tags
from exporters.jaeger.transfers import transfer_log, transfer_tags
from exporters.jaeger.v1_json import log_fields, span_references, span_tags
from exporters.jaeger.warnings import warnings_of
from exporters.rows import EventRow, SpanRow

_SET: dict[str, Callable[[str, Any], pb.KeyValue]] = {
    "string": lambda key, value: pb.KeyValue(key=key, v_str=value),
    "bool": lambda key, value: pb.KeyValue(key=key, v_type=pb.BOOL, v_bool=value),
    "int64": lambda key, value: pb.KeyValue(key=key, v_type=pb.INT64, v_int64=int(value)),
    "float64": lambda key, value: pb.KeyValue(key=key, v_type=pb.FLOAT64, v_float64=float(value)),
    "binary": lambda key, value: pb.KeyValue(key=key, v_type=pb.BINARY, v_binary=b64decode(value)),
}
_REFERENCE_TYPES = {"CHILD_OF": pb.CHILD_OF, "FOLLOWS_FROM": pb.FOLLOWS_FROM}


def span_message(row: SpanRow, transfers: Sequence[Mapping[str, Any]] = ()) -> pb.Span:
    """Return one span, with the agent transfers that it caused. A negative duration counts as zero."""
    return pb.Span(
        trace_id=row.trace_id,
        span_id=row.span_id,
        operation_name=row.name,
        references=[_reference(each) for each in span_references(row)],
        start_time=_timestamp(row.start_time_unix_nano),
        duration=_duration(max(row.duration_ns, 0)),
        tags=_key_values([*span_tags(row), *transfer_tags(transfers)]),
        logs=[*(_log(event) for event in row.events), *(_transfer_log(transfer) for transfer in transfers)],
        process=_process(row),
        warnings=warnings_of(row),
    )


def _process(row: SpanRow) -> pb.Process:
    named = [each for each in row.resource.attributes if each[0] != "service.name"]
    return pb.Process(service_name=row.service_name, tags=_key_values(tags(named)))


def _log(event: EventRow) -> pb.Log:
    return pb.Log(timestamp=_timestamp(event.time_unix_nano), fields=_key_values(log_fields(event)))


def _transfer_log(transfer: Mapping[str, Any]) -> pb.Log:
    fields = transfer_log(transfer)["fields"]
    return pb.Log(timestamp=_timestamp(transfer["time_unix_nano"]), fields=_key_values(fields))


def _reference(reference: dict[str, str]) -> pb.SpanRef:
    return pb.SpanRef(
        trace_id=bytes.fromhex(reference["traceID"].rjust(32, "0")),
        span_id=bytes.fromhex(reference["spanID"]),
        ref_type=_REFERENCE_TYPES[reference["refType"]],
    )


def _key_values(found: Sequence[Tag]) -> list[pb.KeyValue]:
    return [_SET[tag["type"]](tag["key"], tag["value"]) for tag in found]


def _timestamp(unix_nano: int) -> Timestamp:
    seconds, nanos = divmod(unix_nano, 10**9)
    return Timestamp(seconds=seconds, nanos=nanos)


def _duration(nanoseconds: int) -> Duration:
    seconds, nanos = divmod(nanoseconds, 10**9)
    return Duration(seconds=seconds, nanos=nanos)
