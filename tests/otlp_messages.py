"""Hypothesis strategies for OTLP messages: every field, every attribute type, odd text, 64-bit extremes."""

import math

from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    EntityRef,
    InstrumentationScope,
    KeyValue,
    KeyValueList,
)
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, LogsData, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status, TracesData

texts = st.one_of(
    st.sampled_from(["", "service.name", "a\x00b", "ÿ€😀", "\ufffd", "1", "true", "\u2028</script>"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
u32 = st.one_of(st.sampled_from([0, 1, 2**32 - 1]), st.integers(0, 2**32 - 1))
times = st.one_of(st.sampled_from([0, 1, 2**63, 2**64 - 1]), st.integers(1_700_000_000 * 10**9, 1_900_000_000 * 10**9))
span_ids = st.one_of(st.just(b"\0" * 7 + b"\1"), st.binary(min_size=8, max_size=8).filter(any))
trace_ids = st.one_of(st.just(b"\0" * 15 + b"\1"), st.binary(min_size=16, max_size=16).filter(any))


def _kvlist(values: st.SearchStrategy[AnyValue]) -> st.SearchStrategy[KeyValueList]:
    pairs = st.builds(KeyValue, key=texts, value=st.one_of(st.none(), values))
    return st.builds(KeyValueList, values=st.lists(pairs, max_size=3))


any_values = st.recursive(
    st.one_of(
        st.builds(AnyValue, string_value=texts),
        st.builds(
            AnyValue, int_value=st.one_of(st.sampled_from([0, -(2**63), 2**63 - 1, 2**53 + 1]), st.integers(-9, 9))
        ),
        st.builds(AnyValue, double_value=st.one_of(st.floats(allow_nan=False), st.just(math.nan))),
        st.builds(AnyValue, bool_value=st.booleans()),
        st.builds(AnyValue, bytes_value=st.binary(max_size=5)),
        st.builds(AnyValue),
    ),
    lambda inner: st.one_of(
        st.builds(AnyValue, array_value=st.builds(ArrayValue, values=st.lists(inner, max_size=3))),
        st.builds(AnyValue, kvlist_value=_kvlist(inner)),
    ),
    max_leaves=6,
)
attributes = st.lists(st.builds(KeyValue, key=texts, value=st.one_of(st.none(), any_values)), max_size=4)
events = st.builds(Span.Event, time_unix_nano=times, name=texts, attributes=attributes, dropped_attributes_count=u32)
links = st.builds(
    Span.Link,
    trace_id=trace_ids,
    span_id=span_ids,
    trace_state=texts,
    attributes=attributes,
    dropped_attributes_count=u32,
    flags=u32,
)
statuses = st.one_of(
    st.none(), st.builds(Status, code=st.sampled_from([1, 2]), message=texts), st.just(Status(message="unset, yet why"))
)
spans = st.builds(
    Span,
    trace_id=trace_ids,
    span_id=span_ids,
    trace_state=texts,
    parent_span_id=st.one_of(st.just(b""), span_ids),
    flags=u32,
    name=texts,
    kind=st.integers(0, 5),
    start_time_unix_nano=times,
    end_time_unix_nano=times,
    attributes=attributes,
    dropped_attributes_count=u32,
    events=st.lists(events, max_size=2),
    dropped_events_count=u32,
    links=st.lists(links, max_size=2),
    dropped_links_count=u32,
    status=statuses,
)
log_records = st.builds(
    LogRecord,
    time_unix_nano=times,
    observed_time_unix_nano=times,
    severity_number=st.integers(0, 24),
    severity_text=texts,
    body=st.one_of(st.none(), any_values),
    attributes=attributes,
    dropped_attributes_count=u32,
    flags=u32,
    trace_id=st.one_of(st.just(b""), trace_ids),
    span_id=st.one_of(st.just(b""), span_ids),
    event_name=texts,
)
_entities = st.builds(
    EntityRef,
    schema_url=texts,
    type=texts,
    id_keys=st.lists(texts, max_size=2),
    description_keys=st.lists(texts, max_size=1),
)
# `attributes` is never empty, because an empty resource and none at all are the same to a receiver.
resources = st.one_of(
    st.none(),
    st.builds(
        Resource,
        attributes=attributes.filter(bool),
        dropped_attributes_count=u32,
        entity_refs=st.lists(_entities, max_size=1),
    ),
)
scopes = st.one_of(
    st.none(),
    st.builds(
        InstrumentationScope,
        name=texts.filter(bool),
        version=texts,
        attributes=attributes,
        dropped_attributes_count=u32,
    ),
)
traces_data = st.builds(
    TracesData,
    resource_spans=st.lists(
        st.builds(
            ResourceSpans,
            resource=resources,
            schema_url=texts,
            scope_spans=st.lists(
                st.builds(ScopeSpans, scope=scopes, schema_url=texts, spans=st.lists(spans, min_size=1, max_size=3)),
                min_size=1,
                max_size=2,
                unique_by=lambda group: (group.scope.SerializeToString(), group.schema_url),
            ),
        ),
        max_size=2,
        unique_by=lambda group: (group.resource.SerializeToString(), group.schema_url),
    ),
)
logs_data = st.builds(
    LogsData,
    resource_logs=st.lists(
        st.builds(
            ResourceLogs,
            resource=resources,
            schema_url=texts,
            scope_logs=st.lists(
                st.builds(
                    ScopeLogs, scope=scopes, schema_url=texts, log_records=st.lists(log_records, min_size=1, max_size=3)
                ),
                min_size=1,
                max_size=2,
                unique_by=lambda group: (group.scope.SerializeToString(), group.schema_url),
            ),
        ),
        max_size=2,
        unique_by=lambda group: (group.resource.SerializeToString(), group.schema_url),
    ),
)
