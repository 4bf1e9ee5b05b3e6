"""Copies that were stopped, killed or refused, and targets that lost something: the next one completes them."""

from collections.abc import Iterator
from typing import cast

import pytest

from collector.copying import items
from storage.agents import AgentStorage
from storage.api import Batch
from storage.bulk import ItemTable
from storage.errors import StorageUnavailable
from storage.schemas import LOGS
from tests.component.copying.ends import Ends, Flaky
from tests.contract.items import numbered_batch
from tests.contract.test_bulk import read


def test_it_goes_on_where_it_was_stopped(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    class Enough(Exception):
        pass

    for number in range(4):
        ends.source.write(numbered_batch(number, 50))
    monkeypatch.setattr("collector.copying.slices.INSERT_ROWS", 40)
    rounds = 0
    while True:
        budget = iter(range(rounds + 1))

        def stop(left: Iterator[int] = budget) -> None:
            if next(left, None) is None:
                raise Enough

        rounds += 1
        try:
            outcome = ends.copy(stop=stop)
            break
        except Enough:
            assert ends.file.exists() or rounds == 1
    assert rounds > 1
    assert outcome.missing == []
    ends.assert_equal()


def test_an_insert_that_came_through_before_the_checkpoint_counts_once(ends: Ends) -> None:
    """What kill -9 leaves: rows in the target that no state knows of, and of a slice only some."""
    ends.source.write(numbered_batch(1, 60))
    rows = read(ends.source, ItemTable.SPANS)
    ends.target.write(Batch("left by a killed copy", rows.slice(10, 25), LOGS.empty_table()))
    outcome = ends.copy()
    assert outcome.written[ItemTable.SPANS] == 35
    ends.assert_equal()


def test_rows_that_the_target_lost_are_told_and_fetched_again(ends: Ends) -> None:
    ends.source.write(numbered_batch(1, 40))
    ends.copy()
    ends.target.purge()
    outcome = ends.copy()
    assert (outcome.written[ItemTable.SPANS], outcome.missing) == (40, [])
    ends.assert_equal()


def test_a_target_that_fails_for_a_while_is_asked_again(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    ends.source.write(numbered_batch(1, 10))
    monkeypatch.setattr(items, "_WAITS", (0.01, 0.01))
    flaky = Flaky(ends.target, 2)
    ends.target = cast("AgentStorage", flaky)
    assert ends.copy().missing == []
    flaky.failures = 100
    ends.source.write(numbered_batch(2, 10))
    with pytest.raises(StorageUnavailable, match="no space left"):
        ends.copy()
    flaky.failures = 0
    assert ends.copy().missing == []
    ends.assert_equal()
