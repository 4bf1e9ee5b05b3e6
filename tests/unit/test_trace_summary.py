"""Trace summaries against a plain Python reading of the same spans."""

from collections import Counter
from dataclasses import dataclass

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from exporters.trace_summary import COLUMNS, ServiceCount, TraceSummary, summarize
from storage.schemas import SPANS

NARROW = pa.schema([SPANS.field(name) for name in COLUMNS])


@dataclass(frozen=True)
class Row:
    trace_id: bytes
    span_id: bytes
    parent_span_id: bytes
    name: str
    start_time_unix_nano: int
    duration_ns: int
    status_code: int
    service_name: str


def table(rows: list[Row], pieces: int = 1) -> pa.Table:
    """Build the spans table, cut into pieces with dictionaries of their own, as engines may answer."""
    size = max(1, -(-len(rows) // pieces))
    cuts = [rows[at : at + size] for at in range(0, len(rows), size)]
    tables = [
        pa.table({f.name: pa.array([getattr(row, f.name) for row in cut], type=f.type) for f in NARROW}, schema=NARROW)
        for cut in cuts
    ]
    return pa.concat_tables(tables) if tables else NARROW.empty_table()


def expected(rows: list[Row]) -> list[TraceSummary]:
    summaries = []
    for trace_id in dict.fromkeys(row.trace_id for row in rows):
        spans = [row for row in rows if row.trace_id == trace_id]
        ids = {row.span_id for row in spans}
        root = next((row for row in spans if not row.parent_span_id), None)
        counts = Counter(row.service_name for row in spans)
        errors = Counter(row.service_name for row in spans if row.status_code == 2)
        summaries.append(
            TraceSummary(
                trace_id,
                root.service_name if root else None,
                root.name if root else None,
                min(row.start_time_unix_nano for row in spans),
                max(min(row.start_time_unix_nano + max(row.duration_ns, 0), 2**64 - 1) for row in spans),
                len(spans),
                errors.total(),
                sum(1 for row in spans if row.parent_span_id and row.parent_span_id not in ids),
                tuple(ServiceCount(name, counts[name], errors[name]) for name in sorted(counts)),
            )
        )
    return summaries


span_ids = st.integers(1, 6).map(lambda number: number.to_bytes(8, "big"))
parents = st.one_of(st.just(b""), span_ids, st.sampled_from([b"abc", b"123456789"]))
rows = st.builds(
    Row,
    st.integers(1, 4).map(lambda number: number.to_bytes(16, "big")),
    span_ids,
    parents,
    st.sampled_from(["GET /", "", "checkout"]),
    st.integers(0, 2**64 - 1),
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([0, 1, 2]),
    st.sampled_from(["cart", "", "shop", "api"]),
)


@given(st.lists(rows, max_size=30), st.integers(1, 4))
def test_summaries_match_a_plain_reading(drawn: list[Row], pieces: int) -> None:
    ordered = sorted(drawn, key=lambda row: (row.trace_id, row.start_time_unix_nano))
    assert summarize(table(ordered, pieces)) == expected(ordered)


def test_same_span_id_in_another_trace_is_not_a_parent() -> None:
    child = Row(b"a" * 16, b"b" * 8, b"p" * 8, "child", 10, 5, 0, "cart")
    elsewhere = Row(b"z" * 16, b"p" * 8, b"", "root", 10, 5, 0, "shop")
    first, second = summarize(table([child, elsewhere]))
    assert (first.orphan_count, first.root_name) == (1, None)
    assert (second.orphan_count, second.root_name) == (0, "root")


def test_a_parent_id_of_zeros_names_no_parent() -> None:
    trace = b"t" * 16
    rows = [
        Row(trace, b"r" * 8, bytes(8), "root", 1, 5, 0, "shop"),
        Row(trace, b"c" * 8, b"r" * 8, "child", 2, 1, 0, "shop"),
    ]
    [summary] = summarize(table(rows))
    assert (summary.root_service, summary.root_name, summary.orphan_count) == ("shop", "root", 0)
