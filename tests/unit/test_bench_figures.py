"""The statistics of `baton bench`, and that its tables can be drawn."""

import io
import os
import random
from dataclasses import replace
from math import isnan, nan
from pathlib import Path

import pytest
from rich.console import Console

from collector.bench.figures import Spread, percentile, rates, spread, steadiness
from collector.bench.ingest import IngestResult
from collector.bench.query import QueryResult, ReadResult
from collector.bench.questions import Corpus, questions
from collector.bench.report import around, best, ingest_table, query_tables, sustained_lines, yardstick_table
from collector.bench.usage import bytes_under, usage
from collector.bench.yardstick import InsertRate


def test_percentiles_are_nearest_rank():
    numbers = [float(n) for n in range(1, 101)]
    assert percentile(numbers, 0.5) == 50
    assert percentile(numbers, 0.99) == 99
    assert percentile([7.0], 0.99) == 7
    assert isnan(percentile([], 0.5))
    assert spread([3.0, 1.0, 2.0]) == Spread(3, 2.0, 3.0, 3.0)


def test_rates_count_only_whole_windows():
    assert rates([0.5, 1.0, 1.5, 2.5, 3.9, 4.1], start=0.0, window=2.0) == [1.5, 1.0]
    assert rates([], 0.0, 2.0) == []


def test_steadiness_compares_minutes_with_the_first():
    last, worst = steadiness([100.0] * 6 + [50.0] * 6 + [90.0] * 6 + [1.0], 6)
    assert (last, worst) == (0.9, 0.5)
    assert isnan(steadiness([1.0], 6)[0])


def test_the_best_insert_size_is_the_yardstick():
    rates_ = [InsertRate(32768, 100.0, 90.0), InsertRate(65536, 200.0, 80.0)]
    assert best(rates_) == rates_[1]


def test_the_yardstick_of_a_run_is_the_mean_of_those_around_it():
    assert around([InsertRate(65536, rate, nan) for rate in (300.0, 200.0, 400.0)]) == [250.0, 300.0]
    assert around([]) == []


def test_usage_of_this_process():
    before = usage(os.getpid())
    sum(range(3_000_000))
    after = usage(os.getpid())
    assert after.cpu_seconds >= before.cpu_seconds > 0
    assert after.peak_rss_bytes >= after.anonymous_bytes > 2**20


def test_disk_space_leaves_out_the_named_folder(tmp_path: Path):
    for name in ("kept", "journal"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(os.urandom(8192))
    (tmp_path / "kept" / "again").hardlink_to(tmp_path / "kept" / "file")
    assert bytes_under(tmp_path, "journal") == 8192
    assert bytes_under(tmp_path) == 16384


def drawn(*parts, width: int = 300) -> str:
    console = Console(file=io.StringIO(), width=width)
    for part in parts:
        console.print(part)
    return console.file.getvalue()


def ingest_result() -> IngestResult:
    return IngestResult(
        clients=4,
        items=1000,
        acknowledged_per_second=150_000.0,
        queryable_per_second=120_000.0,
        ack_ms=Spread(10, 5.0, 40.0, 50.0),
        items_per_cpu_second=90_000.0,
        generator_cpu_share=0.1,
        peak_rss_bytes=2**30,
        anonymous_bytes=2**29,
        bytes_per_item=58.0,
        fresh_loaded_seconds=Spread(3, 0.5, 1.0, 1.2),
        fresh_idle_seconds=Spread(3, 0.1, 0.2, 0.2),
        missing_traces=2,
        verdicts={"refused": 3},
        series=[100_000.0] * 12,
    )


def test_tables_show_the_ratio_to_the_yardstick_and_what_went_wrong():
    result = ingest_result()
    text = drawn(ingest_table([result], [240_000.0], "t"), *sustained_lines(result))
    assert "0.50" in text
    assert "3 refused, 2 acknowledged but missing" in text
    assert "last minute / first minute: 1.00" in text
    assert "240,000" in drawn(yardstick_table([InsertRate(65536, 240_000.0, nan)]))


def test_four_numbers_of_clients_fit_a_terminal_and_a_file():
    result = replace(ingest_result(), verdicts={}, missing_traces=0)
    text = drawn(ingest_table([result] * 4, [240_000.0] * 4, "t"), width=80)
    assert text.count("150,000") == text.count("40 / 50") == text.count("1,024") == 4
    assert text.count("…") == len(["of yardstick", "per server CPU s", "idle"])


def test_query_tables_show_both_rounds():
    read = ReadResult("services", Spread(50, 1.0, 2.0, 3.0), 120, 0, "/api/services")
    text = drawn(*query_tables(QueryResult(1_000_000, 2**26, 2**30, [read], [read], 70_000.0)))
    assert text.count("services") == 2
    assert "70,000" in text


@pytest.mark.parametrize("seed", range(3))
def test_questions_ask_for_other_values_each_time(seed):
    from collector.bench.messages import SERVICES

    corpus = Corpus(("00" * 16, "11" * 16), dict.fromkeys(SERVICES, ("GET /a", "GET /b")), 1.5)
    asked = questions(corpus)
    assert len({question.name for question in asked}) == len(asked) == 26
    rng = random.Random(seed)
    assert all(question.path(rng).startswith("/api/") for question in asked)
