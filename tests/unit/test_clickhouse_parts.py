"""The small pure parts of the ClickHouse engine: bindings, windows, distinct combinations, errors."""

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from storage.clickhouse.bindings import Bindings
from storage.clickhouse.errors import raise_port_error
from storage.distinct import distinct
from storage.equality import parse_number
from storage.errors import QueryLimitExceeded, StorageRejected, StorageUnavailable
from storage.queries import TimeRange
from storage.seen import Seen
from storage.windows import BUCKET_NS, SECOND_NS, Windows


def test_texts_travel_as_hex() -> None:
    bindings = Bindings()
    assert bindings.text("a'\x00") == "unhex({p0:String})"
    assert bindings.parameters == {"p0": "612700"}
    assert bindings.unsigned(-1) == "{p1:UInt64}"
    assert bindings.signed(2**63) == "{p2:Int128}"
    assert bindings.signed(2**127) == "{p3:Float64}"
    assert bindings.parameters["p1"] == 0


@pytest.mark.parametrize(
    ("text", "number"),
    [("1", 1), ("-0", 0), ("1.5", 1.5), ("1e3", 1000.0), ("inf", math.inf), ("1_0", None), (" 1", None), ("x", None)],
)
def test_numbers_in_texts(text: str, number: float | None) -> None:
    assert parse_number(text) == number


@pytest.mark.parametrize("oldest_first", [True, False])
@pytest.mark.parametrize("time", [TimeRange(0, 2**64), TimeRange(5, 7), TimeRange(3 * BUCKET_NS, 90 * BUCKET_NS + 1)])
def test_windows_cover_the_range_without_gaps(oldest_first: bool, time: TimeRange) -> None:
    histogram = Windows()
    times = np.repeat(np.arange(100, dtype=np.uint64) * np.uint64(BUCKET_NS), 50)
    histogram.add(pa.chunked_array([times]))
    windows = list(histogram.windows(time, 70, 2, oldest_first=oldest_first))
    ordered = windows if oldest_first else windows[::-1]
    assert ordered[0].start == time.start
    assert ordered[-1].end == time.end
    assert all(one.end == two.start for one, two in pairwise(ordered))
    assert all(window.start < window.end for window in windows)


def _added(seconds: dict[int, int]) -> Windows:
    windows = Windows()
    times = np.repeat(np.array(list(seconds), np.uint64) * np.uint64(SECOND_NS), list(seconds.values()))
    windows.add(pa.chunked_array([times]))
    return windows


def _seconds(windows: Iterator[TimeRange]) -> list[tuple[int, int]]:
    return [(window.start // SECOND_NS, window.end // SECOND_NS) for window in windows]


def test_a_bucket_that_has_just_begun_is_not_taken_for_a_whole_one() -> None:
    windows = _added({1000: 500, 1001: 500, 1002: 40, 995: 500})
    now = TimeRange(0, 1003 * SECOND_NS)
    assert _seconds(windows.windows(now, 300, 1)) == [(1001, 1003), (1000, 1001), (995, 1000), (0, 995)]


def test_seconds_outside_the_range_count_for_nothing() -> None:
    windows = Windows()
    windows.replace({100: 1000})  # counted by an engine: a hundred in each second
    range_ = TimeRange(1002 * SECOND_NS, 1006 * SECOND_NS)
    assert _seconds(windows.windows(range_, 150, 1)) == [(1004, 1006), (1002, 1004)]
    assert _seconds(windows.windows(range_, 150, 1, oldest_first=True)) == [(1002, 1004), (1004, 1006)]


def test_what_an_engine_counted_is_spread_as_what_was_added() -> None:
    windows = _added({1000: 10, 1001: 30})
    windows.replace({100: 400})
    assert _seconds(windows.windows(TimeRange(0, 1010 * SECOND_NS), 200, 1)) == [(1001, 1010), (0, 1001)]


def test_seconds_are_known_of_the_newest_buckets_only() -> None:
    first_bucket = TimeRange(0, BUCKET_NS)
    assert _seconds(_added({0: 100}).windows(first_bucket, 50, 1)) == [(0, 10)]
    later = dict.fromkeys(range(10, 610, 10), 1)
    assert _seconds(_added({0: 100, **later}).windows(first_bucket, 50, 1)) == [(5, 10), (0, 5)]


@pytest.mark.parametrize("scale", [1, 10**5, 10**12])
def test_distinct_combinations(scale: int) -> None:
    one, two = np.array([0, 1, 0, 2, 1]), np.array([3, 0, 3, 1, 0])
    found = distinct([(one, 3 * scale), (two, 4 * scale), (one, 3 * scale)])
    rows = zip(*(part.tolist() for part in found), strict=True)
    assert list(rows) == [(0, 3, 0), (1, 0, 1), (2, 1, 2)]


def test_what_was_seen_is_bounded() -> None:
    seen: Seen[int] = Seen(3)
    seen.add([1, 2, 3])
    assert seen.unseen([1, 4]) == [4]
    seen.add([4])
    assert seen.unseen([1, 2, 3, 4]) == [2]


@pytest.mark.parametrize(
    ("message", "writing", "kind"),
    [
        ("Code: 241. DB::Exception: memory", False, QueryLimitExceeded),
        ("Code: 241. DB::Exception: memory", True, StorageUnavailable),
        ("Code: 241. DB::Exception: (total) memory limit exceeded: would use", False, StorageUnavailable),
        ("Code: 159. DB::Exception: Timeout", False, QueryLimitExceeded),
        ("Code: 243. DB::Exception: Cannot reserve 1.00 MiB, not enough space", True, StorageUnavailable),
        ("Code: 427. DB::Exception: OptimizedRegularExpression", False, StorageRejected),
        ("a message without a code", True, StorageUnavailable),
    ],
)
def test_engine_errors_become_the_ports(message: str, writing: bool, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        raise_port_error(RuntimeError(message), writing=writing)


def test_engine_errors_do_not_tell_of_files() -> None:
    message = "Code: 241. DB::Exception: memory: (while reading column name): (while reading from part /srv/baton/x)"
    with pytest.raises(QueryLimitExceeded, match=r"^Code: 241. DB::Exception: memory$"):
        raise_port_error(RuntimeError(message))
