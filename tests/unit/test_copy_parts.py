"""The pure parts of `baton copy`: row hashes, what is missing, cuts, days, what is remembered."""

import itertools
import threading
from collections.abc import Generator
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.copying.ahead import read_ahead
from collector.copying.days import differences, expired, total, without
from collector.copying.difference import Held
from collector.copying.hashing import RowHasher
from collector.copying.slices import inserts, slices
from collector.copying.state import CopyState, DayState
from storage.api import RetentionPolicy
from storage.bulk import STEP_NS, ItemTable
from storage.queries import TimeRange
from storage.schemas import LOGS
from tests.contract.items import NOW, canonical, link, span, spans_table
from tests.contract.test_bulk import everything
from tests.contract.test_round_trip import LOG_CASES


@pytest.mark.parametrize("kind", ItemTable)
def test_equal_rows_have_equal_hashes_and_others_do_not(kind: ItemTable) -> None:
    rows: pa.Table = getattr(everything(), kind.value)
    hasher = RowHasher()
    hashes = hasher.hashes(rows).tolist()
    texts = [repr(row) for row in rows.to_pylist()]
    assert len(set(hashes)) == len(set(texts)) == len(set(zip(hashes, texts, strict=True)))
    for start, end in ((0, 1), (3, 7), (len(rows) - 2, len(rows))):
        assert hasher.hashes(rows.slice(start, end - start)).tolist() == hashes[start:end]
    split = pa.concat_tables([rows.slice(4), rows.slice(0, 4)])
    assert hasher.hashes(split).tolist() == hashes[4:] + hashes[:4]
    assert RowHasher().hashes(rows).tolist() != hashes  # drawn anew
    assert hasher.hashes(rows.slice(0, 0)).tolist() == []


def test_every_column_and_every_place_counts() -> None:
    base = span([("a", "1"), ("b", "2")], links=[link([("k", "v")])])
    changed = [base | {name: value} for name, value in span(name="other", kind=7, flags=9, duration_ns=0).items()]
    swapped = span([("b", "2"), ("a", "1")], **{k: v for k, v in base.items() if not k.startswith("attribute")})
    twice = base | {"links": base["links"] * 2}
    moved = base | {"attributes": [("a", b""), ("1b", b"2")]}
    rows = spans_table([base, swapped, twice, moved, *(row for row in changed if row != base)])
    assert len(set(RowHasher().hashes(rows).tolist())) == len({repr(row) for row in rows.to_pylist()})


@given(st.lists(st.integers(0, 4), max_size=30), st.lists(st.integers(0, 4), max_size=30), st.integers(1, 9))
def test_what_is_missing_is_the_difference_of_multisets(ours: list[int], theirs: list[int], cut: int) -> None:
    cases = list(LOG_CASES.values())

    def logs(numbers: list[int]) -> pa.Table:
        return pa.Table.from_pylist([cases[number] for number in numbers], schema=LOGS)

    held = Held(RowHasher(), [logs(theirs[:3]), logs(theirs[3:])])
    assert held.rows == len(theirs)
    parts = [held.missing(logs(ours[start : start + cut])) for start in range(0, len(ours), cut)]
    found = [text for part in parts for text in canonical(part)]
    wanted = ours.copy()
    for number in theirs:
        if number in wanted:
            wanted.remove(number)
    assert sorted(found) == canonical(logs(wanted))


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), max_size=20, unique_by=lambda step: step[0]))
def test_slices_hold_every_step_once(found: list[tuple[int, int]]) -> None:
    steps = [(number * STEP_NS, rows) for number, rows in sorted(found)]
    cut = list(slices(steps, rows=25))
    assert sum(part.rows for part in cut) == sum(rows for _, rows in steps)
    for part in cut:
        inside = [(start, rows) for start, rows in steps if part.time.start <= start < part.time.end]
        assert part.rows == sum(rows for _, rows in inside)
        assert part.rows <= 25 or len(inside) == 1
        assert part.time.start % STEP_NS == part.time.end % STEP_NS == 0
    assert all(before.time.end <= after.time.start for before, after in itertools.pairwise(cut))


def test_the_last_step_ends_with_time_itself() -> None:
    assert [part.time for part in slices([(2**64 - STEP_NS, 3)])] == [TimeRange(2**64 - STEP_NS, 2**64)]


def test_inserts_are_bounded_by_rows_and_bytes() -> None:
    tables = [spans_table([span() for _ in range(size)]) for size in (3, 3, 3, 9, 1)]
    assert [table.num_rows for table in inserts(iter(tables), rows=6, size=1 << 30)] == [6, 3, 9, 1]
    assert [table.num_rows for table in inserts(iter(tables), rows=100, size=1)] == [3, 3, 3, 9, 1]
    assert list(inserts(iter([]))) == []


def test_days_over_the_target_s_age_are_named() -> None:
    days = {date(2026, 9, 1): 5, date(2026, 9, 20): 7}
    found = dict.fromkeys(ItemTable, days)
    assert total(found) == 48
    old = expired(found, RetentionPolicy(spans_days=7, logs_days=None), NOW)
    assert old == {ItemTable.SPANS: {date(2026, 9, 1): 5}, ItemTable.AGENT_SPANS: {date(2026, 9, 1): 5}}
    assert without(found, old)[ItemTable.SPANS] == {date(2026, 9, 20): 7}
    assert without(found, old)[ItemTable.LOGS] == days
    assert expired(found, RetentionPolicy(None, None), NOW) == {}


def test_a_day_differs_when_rows_were_not_copied_or_are_not_there() -> None:
    day = date(2026, 9, 20)

    def found(target: int, copied: int) -> list[str]:
        sides = ({ItemTable.LOGS: {day: count}} for count in (10, target, copied))
        return [str(difference) for difference in differences(*sides)]

    assert found(10, 10) == found(25, 10) == []
    assert found(25, 9) == ["logs of 2026-09-20: 10 rows in the source, 9 of them copied, 25 in the target"]
    assert len(found(9, 10)) == 1
    assert list(differences({}, {}, {})) == []


def test_the_state_survives_and_damage_is_told(tmp_path: Path) -> None:
    file = tmp_path / "copy.json"
    state = CopyState(file)
    state.day(ItemTable.SPANS, date(2026, 9, 20)).until = 2**64
    state.progress.traces_again |= {"ab", "cd"}
    state.progress.minutes_again |= {("shop\0", 7)}
    state.save()
    again = CopyState(file)
    assert again.progress == state.progress
    assert again.restart(ItemTable.SPANS, date(2026, 9, 20)) == DayState()
    for damage in ("{", '{"days": 1}', '{"days": {}, "other": 1}'):
        file.write_text(damage)
        with pytest.raises(ValueError, match=r"unexpected|Expecting"):
            CopyState(file)


def test_reading_ahead_keeps_the_order_and_the_errors() -> None:
    def numbers(fails: bool) -> Generator[int, None, None]:
        yield from range(5)
        if fails:
            raise OSError("gone")

    assert list(read_ahead(numbers(False))) == [0, 1, 2, 3, 4]
    ahead = read_ahead(numbers(True))
    assert [next(ahead) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(OSError, match="gone"):
        next(ahead)


def test_reading_ahead_can_be_ended_early() -> None:
    ended = threading.Event()

    def endless() -> Generator[int, None, None]:
        try:
            while True:
                yield 1
        finally:
            ended.set()

    ahead = read_ahead(endless())
    assert next(ahead) == 1
    ahead.close()
    assert ended.is_set()
