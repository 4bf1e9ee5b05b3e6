"""Trace summaries of adjusted spans, and that traces are read whole only where adjusters may change them."""

from collections.abc import Sequence

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status, TracesData

from exporters.jaeger.adjust import adjusted
from exporters.jaeger.summaries import summarize_adjusted
from exporters.rows import by_trace, read_spans
from exporters.trace_summary import COLUMNS, ServiceCount, TraceSummary
from storage.queries import Signal
from tests.stored import table

SERVER, CLIENT = 2, 3
MS = 10**6
T0 = 1_000 * MS
TRACE = b"T" * 16


def span(number: int, parent: int = 0, start: int = 0, duration: int = 100, **fields: object) -> Span:
    """Return a span; times in milliseconds."""
    begins = T0 + start * MS
    ids = {"trace_id": TRACE, "span_id": number.to_bytes(8, "big"), "name": f"span {number}"} | fields
    above = parent.to_bytes(8, "big") if parent else b""
    return Span(parent_span_id=above, start_time_unix_nano=begins, end_time_unix_nano=begins + duration * MS, **ids)  # type: ignore[arg-type]


class Stored:
    """Traces as storage answers them; `read` notes the further columns that were asked for, and of which traces."""

    def __init__(self, *spans: tuple[str, Span]) -> None:
        data = TracesData()
        for service, each in spans:
            group = data.resource_spans.add()
            for key in ("service.name", "host.name"):
                group.resource.attributes.add(key=key).value.string_value = service
            group.scope_spans.add().spans.append(each)
        rows = table(Signal.TRACES, data)
        keys = list(zip(rows["trace_id"].to_pylist(), rows["start_time_unix_nano"].to_pylist(), strict=True))
        self.rows = rows.take(pa.array(sorted(range(len(keys)), key=keys.__getitem__), pa.int64()))
        self.asked: list[tuple[list[bytes], Sequence[str] | None]] = []

    def read(self, ids: Sequence[bytes], columns: Sequence[str] | None) -> list[pa.Table]:
        self.asked.append((list(ids), columns))
        rows = self.rows.filter(pa.array([each in ids for each in self.rows["trace_id"].to_pylist()]))
        return [rows.select(columns) if columns else rows]

    def summaries(self, max_clock_skew_ns: int = 0, max_spans: int = 0) -> list[TraceSummary]:
        return summarize_adjusted(self.rows.select(COLUMNS), self.read, max_clock_skew_ns, max_spans)


def test_of_usual_traces_nothing_more_is_read() -> None:
    stored = Stored(("a", span(1)), ("b", span(2, 1, start=10, duration=50)), ("a", span(1, trace_id=b"U" * 16)))
    assert [each.span_count for each in stored.summaries(max_clock_skew_ns=MS)] == [2, 1]
    assert stored.asked == []
    stored = Stored(("a", span(1)), ("b", span(2, 1, start=-10)))
    assert [each.span_count for each in stored.summaries()] == [2]
    assert stored.asked == []


def test_a_client_is_the_root_although_the_server_that_shares_its_id_seems_earlier() -> None:
    stored = Stored(("a", span(1, kind=CLIENT, name="call")), ("b", span(1, start=-10, kind=SERVER, name="serve")))
    (summary,) = stored.summaries()
    assert (summary.root_service, summary.root_name) == ("a", "call")
    assert (summary.start_unix_nano, summary.span_count) == (T0 - 10 * MS, 2)
    assert stored.asked == [([TRACE], (*COLUMNS, "kind"))]


def test_copies_whose_attributes_have_another_order_count_once() -> None:
    pairs = [KeyValue(key=key, value=AnyValue(int_value=1)) for key in "ab"]
    failed = {"status": Status(code=2)}
    stored = Stored(("a", span(1, attributes=pairs, **failed)), ("a", span(1, attributes=pairs[::-1], **failed)))
    (summary,) = stored.summaries()
    assert (summary.span_count, summary.error_count) == (1, 1)
    assert summary.services == (ServiceCount("a", 1, 1),)


def test_corrected_clocks_move_the_start_and_the_end() -> None:
    early = Stored(("a", span(1)), ("b", span(2, 1, start=-50, duration=40)))
    late = Stored(("a", span(1)), ("b", span(2, 1, start=500, duration=40)))
    long = Stored(("a", span(1)), ("b", span(2, 1, start=-50, duration=400)))
    for stored, end in ((early, 100), (late, 100), (long, 400)):
        (summary,) = stored.summaries(max_clock_skew_ns=1_000 * MS)
        assert (summary.start_unix_nano, summary.end_unix_nano) == (T0, T0 + end * MS)
        (summary,) = stored.summaries()
        assert (summary.start_unix_nano, summary.end_unix_nano) != (T0, T0 + end * MS)


def test_a_trace_of_too_many_spans_is_not_read_whole() -> None:
    stored = Stored(("a", span(1)), ("b", span(2, 1, start=-50, duration=40)))
    assert [each.start_unix_nano for each in stored.summaries(max_clock_skew_ns=100 * MS, max_spans=1)] == [
        T0 - 50 * MS
    ]
    assert stored.asked == []


spans = st.builds(
    span,
    st.integers(101, 105),  # no id that the adjusters give anew is one that a missing parent has
    st.sampled_from([0, *range(101, 107)]),
    start=st.integers(-3, 3),
    duration=st.integers(-1, 3),
    kind=st.sampled_from([0, SERVER, CLIENT]),
    trace_id=st.sampled_from([TRACE, b"U" * 16]),
    name=st.just("same"),
)


@given(st.lists(st.tuples(st.sampled_from("ab"), spans), min_size=1, max_size=8), st.sampled_from([0, 2 * MS, 2**62]))
def test_what_differs_after_the_adjusters_is_never_missed(drawn: list[tuple[str, Span]], max_skew: int) -> None:
    """Compare what does not depend on which of several spans with one start is the first."""
    stored = Stored(*drawn)
    found = stored.summaries(max_skew)
    whole = [adjusted(rows, max_skew) for rows in by_trace(read_spans(stored.rows))]
    assert [each.trace_id for each in found] == [rows[0].trace_id for rows in whole]
    for summary, rows in zip(found, whole, strict=True):
        ids = {row.span_id for row in rows}
        assert summary.start_unix_nano == min(row.start_time_unix_nano for row in rows)
        assert summary.end_unix_nano == max(row.start_time_unix_nano + max(row.duration_ns, 0) for row in rows)
        assert summary.span_count == len(rows)
        assert summary.orphan_count == sum(
            1 for row in rows if any(row.parent_span_id) and row.parent_span_id not in ids
        )
        assert (summary.root_name is None) == all(any(row.parent_span_id) for row in rows)
