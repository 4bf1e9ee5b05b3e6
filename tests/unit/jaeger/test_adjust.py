"""Jaeger's adjusters, one by one, and that raw rows stay as they are."""

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, TracesData

from exporters.contexts import ResourceContext, resource_context
from exporters.jaeger.adjust import adjusted
from exporters.jaeger.reading import read_traces
from exporters.jaeger.warnings import add_warning, warnings_of
from exporters.rows import EventRow, SpanRow
from storage.queries import Signal
from tests.stored import table
from tests.unit.jaeger.spans import TRACE, link, span, text

SERVER, CLIENT = 2, 3


def host(**attributes: AnyValue) -> ResourceContext:
    pairs = [KeyValue(key=key.replace("_", "."), value=value) for key, value in attributes.items()]
    return resource_context(ResourceSpans(resource=Resource(attributes=pairs)).SerializeToString())


def named(name: str) -> ResourceContext:
    return host(host_name=AnyValue(string_value=name))


def number(row: SpanRow) -> int:
    return int.from_bytes(row.span_id, "big")


def parent(row: SpanRow) -> int:
    return int.from_bytes(row.parent_span_id, "big")


def test_a_server_that_shares_its_clients_id_gets_its_own() -> None:
    rows = adjusted([span(1), span(9, 1, kind=CLIENT), span(9, 1, kind=SERVER), span(3, 9)])
    assert [(number(row), parent(row)) for row in rows] == [(1, 0), (9, 1), (2, 9), (3, 2)]


def test_servers_alone_keep_a_shared_id() -> None:
    rows = adjusted([span(1), span(9, 1, kind=SERVER, name="a"), span(9, 1, kind=SERVER, name="b")])
    assert [number(row) for row in rows] == [1, 9, 9]
    assert warnings_of(rows[2]) == ["duplicate span IDs; skipping clock skew adjustment"]


def test_attributes_are_sorted_and_the_last_duplicate_stays() -> None:
    (row,) = adjusted([span(1, attributes=[text("b", "1"), text("a", "2"), text("b", "3")])])
    assert row.attributes == [text("a", "2"), text("b", "3")]


def test_events_are_sorted_by_name_not_time() -> None:
    events = [EventRow(1, "z", [], 0), EventRow(2, "a", [text("y", ""), text("x", "")], 0)]
    (row,) = adjusted([span(1, events=events)])
    assert [event.name for event in row.events] == ["a", "z"]
    assert [key for key, _, _ in row.events[0].attributes] == ["x", "y"]


def test_spans_that_are_equal_once_sorted_are_one() -> None:
    rows = adjusted(
        [span(1, attributes=[text("a", "1"), text("b", "2")]), span(1, attributes=[text("b", "2"), text("a", "1")])]
    )
    assert len(rows) == 1
    assert warnings_of(rows[0]) == []


def test_an_orphan_is_told_that_its_parent_is_missing() -> None:
    (row,) = adjusted([span(1, 0xFF)])
    assert warnings_of(row) == ["parent span ID=00000000000000ff is not in the trace; skipping clock skew adjustment"]


def test_skew_is_only_reported_by_default() -> None:
    rows = adjusted([span(1, resource=named("a")), span(2, 1, start=940, duration=20, resource=named("b"))])
    assert warnings_of(rows[1]) == ["clock skew adjustment disabled; not applying calculated delta of 100ns"]
    assert rows[1].start_time_unix_nano == 940


def test_skew_is_corrected_within_the_limit_for_the_hosts_subtree() -> None:
    child = span(2, 1, start=940, duration=20, resource=named("b"), events=[EventRow(950, "e", [], 0)])
    grandchild = span(3, 2, start=945, duration=5, resource=named("b"))
    rows = adjusted([span(1, resource=named("a")), child, grandchild], max_clock_skew_ns=100)
    assert [row.start_time_unix_nano for row in rows] == [1_000, 1_040, 1_045]
    assert child.events[0].time_unix_nano == 1_050
    assert warnings_of(child) == ["This span's timestamps were adjusted by 100ns"]


def test_skew_over_the_limit_is_reported() -> None:
    rows = adjusted([span(1, resource=named("a")), span(2, 1, start=1, duration=20, resource=named("b"))], 50)
    expected = "max clock skew adjustment delta of 50ns exceeded; not applying calculated delta of 1.039µs"
    assert warnings_of(rows[1]) == [expected]


def test_no_skew_on_one_host_however_it_is_named() -> None:
    addresses = AnyValue(
        array_value=ArrayValue(values=[AnyValue(string_value="10.0.0.1"), AnyValue(string_value="::1")])
    )
    for where in (
        named("a"),
        host(host_id=AnyValue(string_value="i"), host_name=AnyValue(string_value="x")),
        host(host_ip=addresses),
        host(host_ip=AnyValue(string_value="10.0.0.1")),
    ):
        rows = adjusted([span(1, resource=where), span(2, 1, start=1, duration=20, resource=where)])
        assert warnings_of(rows[1]) == []


def test_a_longer_child_may_not_start_early() -> None:
    rows = adjusted([span(1, resource=named("a")), span(2, 1, start=990, duration=500, resource=named("b"))], 100)
    assert rows[1].start_time_unix_nano == 1_000


def test_a_cycle_and_a_long_chain_end() -> None:
    assert len(adjusted([span(1, 2), span(2, 1), span(3, 3)])) == 3
    chain = [span(number, number - 1) for number in range(1, 5_000)]
    assert len(adjusted(chain)) == 4_999


def test_numeric_addresses_get_dots() -> None:
    attributes = [("ip", "i", "16909060"), ("peer.ipv4", "d", "134744072.0"), ("port", "i", "80")]
    (row,) = adjusted([span(1, attributes=attributes)])
    assert row.attributes == [text("ip", "1.2.3.4"), text("peer.ipv4", "8.8.8.8"), ("port", "i", "80")]
    (odd,) = adjusted([span(1, attributes=[("ip", "i", "-1"), ("peer.ipv4", "d", "nan")])])
    assert odd.attributes == [text("ip", "255.255.255.255"), text("peer.ipv4", "0.0.0.0")]


def test_sdk_attributes_move_to_the_resource_of_all_its_spans() -> None:
    rows = adjusted([span(1, attributes=[text("telemetry.sdk.name", "otel")]), span(2, 1)])
    assert rows[0].attributes == []
    assert rows[0].resource is rows[1].resource
    assert rows[0].resource.attributes == (text("telemetry.sdk.name", "otel"),)


def test_a_conflicting_sdk_attribute_stays() -> None:
    resource = host(telemetry_sdk_name=AnyValue(string_value="otel"))
    (row,) = adjusted([span(1, resource=resource, attributes=[text("telemetry.sdk.name", "other")])])
    assert row.attributes[0] == text("telemetry.sdk.name", "other")
    assert warnings_of(row) == ["conflicting values between Span and Resource for attribute telemetry.sdk.name"]


def test_links_without_a_trace_are_removed() -> None:
    (row,) = adjusted([span(1, links=[link(bytes(16), b"x" * 8), link(b"", b"x" * 8), link(TRACE, b"x" * 8)])])
    assert [each.trace_id for each in row.links] == [TRACE]
    assert warnings_of(row) == ["Invalid span link removed"] * 2


def test_a_warning_attribute_of_another_type_is_kept_as_one() -> None:
    row = span(1, attributes=[text("@jaeger@warnings", "as text"), text("a", "b")])
    add_warning(row, "second")
    assert warnings_of(row) == ["as text", "second"]
    assert [key for key, _, _ in row.attributes] == ["@jaeger@warnings", "a"]


def test_a_trace_over_the_limit_is_cut_with_a_warning() -> None:
    from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span, TracesData

    def some(trace: bytes, count: int) -> list[Span]:
        return [Span(trace_id=trace, span_id=at.to_bytes(8, "big")) for at in range(1, count + 1)]

    spans = [*some(b"A" * 16, 2), *some(b"B" * 16, 5), *some(b"C" * 16, 3)]
    stored = table(Signal.TRACES, TracesData(resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=spans)])]))
    traces = list(read_traces(stored.slice(1), 3))
    assert [len(rows) for rows in traces] == [1, 3, 3]
    assert [warnings_of(rows[0]) for rows in traces] == [
        [],
        ["trace has more than 3 spans, showing first 3 spans only"],
        [],
    ]


def test_ids_that_clients_could_not_read_are_padded_cut_or_left_out() -> None:
    odd = (b"", bytes(8), bytes(3), b"abc", b"0123456789", b"12345678")
    links = [Span.Link(trace_id=each * 2, span_id=each) for each in odd]
    spans = [
        Span(trace_id=TRACE, span_id=bytes([1] * 8), start_time_unix_nano=number, parent_span_id=each, links=links)
        for number, each in enumerate(odd)
    ]
    data = TracesData(resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=spans)])])
    (rows,) = read_traces(table(Signal.TRACES, data))
    expected = [b"", b"", b"", b"\0\0\0\0\0abc", b"23456789", b"12345678"]
    assert [row.parent_span_id for row in rows] == expected
    assert [each.span_id for each in rows[0].links] == expected
    assert [len(each.trace_id) for each in rows[0].links] == [0, 0, 0, 16, 16, 16]
