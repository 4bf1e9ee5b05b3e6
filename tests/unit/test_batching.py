"""When the open batch is closed, and how clients are slowed down."""

from hypothesis import given
from hypothesis import strategies as st

from collector.pipeline.batching import BatchLimits, OpenBatch

LIMITS = BatchLimits(max_rows=1_000, max_bytes=10_000, max_age_seconds=10.0, quiet_seconds=0.5, little_rows=50)


def batch(rows: int, size: int = 0) -> OpenBatch:
    opened = OpenBatch()
    opened.rows, opened.bytes = rows, size
    return opened


def test_rows_and_bytes_close_it_at_once() -> None:
    assert batch(1_000).seconds_left(LIMITS, store_is_idle=False) == 0
    assert batch(1, size=10_000).seconds_left(LIMITS, store_is_idle=False) == 0


def test_little_does_not_wait_while_storage_has_nothing_to_do() -> None:
    assert batch(10).seconds_left(LIMITS, store_is_idle=True) < 1
    assert batch(10).seconds_left(LIMITS, store_is_idle=False) > 5
    assert batch(900).seconds_left(LIMITS, store_is_idle=True) > 5


def test_a_trickle_waits_twice_as_long_as_what_comes_alone() -> None:
    alone, following = OpenBatch(started=0.0), OpenBatch(started=0.0, follows=True)
    waited = following.seconds_left(LIMITS, store_is_idle=True) - alone.seconds_left(LIMITS, store_is_idle=True)
    assert 0.4 < waited < 0.6
    busy = following.seconds_left(LIMITS, store_is_idle=False) - alone.seconds_left(LIMITS, store_is_idle=False)
    assert abs(busy) < 0.1


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_the_pause_grows_with_the_backlog_and_has_an_end(one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert 0 <= LIMITS.pause_seconds(low) <= LIMITS.pause_seconds(high) <= LIMITS.max_pause_seconds
    assert LIMITS.pause_seconds(LIMITS.max_rows) == 0
