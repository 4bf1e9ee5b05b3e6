"""Precision and recall of the rules on the captured corpus, in every delivery mode, with all scenarios in one store."""

from __future__ import annotations

import pytest

from tests.agents.harness import MODES, Scenario, detect_store, load, score, store_of, table


@pytest.fixture(scope="module")
def corpus() -> list[Scenario]:
    return load()


@pytest.mark.parametrize("mode", MODES)
def test_corpus_meets_the_bars(corpus: list[Scenario], mode: str, capsys: pytest.CaptureFixture[str]) -> None:
    total, sets = score(corpus, detect_store(*store_of(corpus, mode)))
    with capsys.disabled():
        print(f"\n{mode}\n{table(total, sets)}")
    assert total.scenarios > 150
    assert total.precision >= 0.99, total.notes
    assert total.recall >= 0.97, total.notes
    assert total.false_in_clean == 0, total.notes


def test_verdicts_are_identical_in_every_mode(corpus: list[Scenario]) -> None:
    plain = detect_store(*store_of(corpus, "plain"))
    for mode in MODES[1:]:
        assert sorted(detect_store(*store_of(corpus, mode)), key=lambda row: row.id) == sorted(
            plain, key=lambda row: row.id
        )


def test_one_scenario_alone_gives_the_rows_it_gives_among_all(corpus: list[Scenario]) -> None:
    """Constant conversation ids and agent names that many runs share must not tie scenarios together."""
    together = {row.id for row in detect_store(*store_of(corpus, "plain"))}
    alone = {row.id for scenario in corpus for row in detect_store(scenario.spans, scenario.logs)}
    assert alone == together
