"""What is written comes back equal in every field."""

import pytest
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings

from storage.agents import AgentStorage
from storage.api import Batch
from storage.queries import LogQuery, Signal
from storage.schemas import LOGS, SPANS
from tests.contract.items import (
    ALL_TIME,
    Row,
    batch,
    canonical,
    event,
    link,
    log,
    resource,
    scope,
    span,
    spans_table,
    trace_id,
)
from tests.otlp_messages import logs_data, traces_data
from tests.stored import table

MAX64, MAX32 = 2**64 - 1, 2**32 - 1
LETTERS: Row = {"attributes": [(letter, b"x\x00\xff") for letter in "sidbakyen"], "attribute_types": "sidbakyen"}
DUPLICATES: Row = {"attributes": [("k", b"1"), ("a", b""), ("k", b"2"), ("", b"")], "attribute_types": "iesn"}

SPAN_CASES = {
    "extremes": span(
        flags=MAX32,
        kind=2**31 - 1,
        start_time_unix_nano=MAX64,
        duration_ns=-(2**63),
        status_code=-(2**31),
        dropped_attributes_count=MAX32,
        dropped_events_count=MAX32,
        dropped_links_count=MAX32,
    ),
    "other extremes": span(start_time_unix_nano=0, duration_ns=2**63 - 1),
    "odd text": span(name="a\x00b", trace_state="ÿ€😀", status_message="\\N'{x:String}\n\t"),
    "empty text": span(name="", service_name="", resource=b"", scope=b""),
    "ids with zeros": span(trace_id=b"\x01" + bytes(15), span_id=bytes(8), parent_span_id=b"\x01" + bytes(7)),
    "every type letter": span(**LETTERS),
    "duplicate keys in order": span(**DUPLICATES),
    "events": span(events=[event(**LETTERS), event("", time_unix_nano=MAX64), event(**DUPLICATES)]),
    "links": span(links=[link(**DUPLICATES, trace_id=bytes(16), flags=MAX32), link(trace_id=b"", trace_state="a=b")]),
    "contexts": span(resource=resource("other", "https://schema/1", a="b"), scope=scope("", "", k="v")),
}


@pytest.mark.parametrize("case", SPAN_CASES)
def test_spans_come_back_equal(store: AgentStorage, case: str) -> None:
    row = SPAN_CASES[case]
    store.write(batch([row]))
    found = store.get_traces([row["trace_id"]])
    assert found.schema == SPANS
    assert canonical(found) == canonical(spans_table([row]))


LOG_CASES = {
    "extremes": log(event_time_unix_nano=MAX64, time_unix_nano=MAX64, observed_time_unix_nano=0, flags=MAX32),
    "first nanosecond": log(event_time_unix_nano=0, time_unix_nano=0, severity_number=-(2**31)),
    "odd text": log("a\x00b\\N'", severity_text="ÿ€😀\n", event_name="{x:String}"),
    "no body": log("", body_type=""),
    "empty body": log("", body_type="e"),
    "bytes body": log(body_type="y") | {"body": b"\x00\xff"},
    "every type letter": log(**LETTERS),
    "duplicate keys in order": log(**DUPLICATES),
    "ids": log(trace_id=bytes(15) + b"\x01", span_id=b"\x01" + bytes(7)),
}


@pytest.mark.parametrize("case", LOG_CASES)
def test_log_records_come_back_equal(store: AgentStorage, case: str) -> None:
    written = batch(logs=[LOG_CASES[case]])
    store.write(written)
    found = store.find_logs(LogQuery(ALL_TIME)).records
    assert found.schema == LOGS
    assert canonical(found) == canonical(written.logs)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(traces_data)
def test_any_trace_message_comes_back_equal(store: AgentStorage, message: Message) -> None:
    spans = table(Signal.TRACES, message)
    store.purge()
    store.write(Batch("one", spans, LOGS.empty_table()))
    found = store.get_traces(sorted(set(spans["trace_id"].to_pylist())))
    assert sorted(set(canonical(found))) == sorted(set(canonical(spans)))


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(logs_data)
def test_any_logs_message_comes_back_equal(store: AgentStorage, message: Message) -> None:
    logs = table(Signal.LOGS, message)
    store.purge()
    store.write(Batch("one", SPANS.empty_table(), logs))
    assert canonical(store.find_logs(LogQuery(ALL_TIME, limit=1000)).records) == canonical(logs)


def test_an_empty_batch_is_no_event(store: AgentStorage) -> None:
    store.write(batch())
    assert store.services() == []
    assert store.get_traces([]).schema == SPANS
    assert store.get_traces([trace_id(5)]).num_rows == 0
    assert store.find_logs(LogQuery(ALL_TIME)).records.schema == LOGS


def test_columns_can_be_chosen(store: AgentStorage) -> None:
    row = span()
    store.write(batch([row]))
    found = store.get_traces([row["trace_id"]], ["name", "resource", "trace_id"])
    assert found.column_names == ["name", "resource", "trace_id"]
    assert found.to_pylist() == [{"name": row["name"], "resource": row["resource"], "trace_id": row["trace_id"]}]
