"""A batch is stored once: written twice, interrupted by a kill, or written by a process that came later."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from storage.agents import AgentStorage
from storage.queries import LogQuery, TraceQuery
from tests.contract.conftest import Child
from tests.contract.engines import EXCLUSIVE
from tests.contract.items import ALL_TIME, NOW, batch, log, numbered_batch, span

ROWS = 3_000


def answers(process: "subprocess.Popen[str]") -> list[dict[str, Any]]:
    """Wait for a child and return what it said; it must not have said anything on stderr."""
    output, errors = process.communicate(timeout=120)
    assert errors == ""
    assert process.returncode == 0
    return [json.loads(line) for line in output.splitlines()]


def test_the_same_batch_twice_is_stored_once(store: AgentStorage) -> None:
    rows = [span() for _ in range(5)]
    for _ in range(3):
        store.write(batch(rows, [log() for _ in range(5)], id="same"))
    assert store.overview(ALL_TIME).spans == 5
    assert store.find_logs(LogQuery(ALL_TIME)).records.num_rows == 5


def test_the_same_batch_twice_is_stored_once_however_large_its_records_are(store: AgentStorage) -> None:
    records = [log(str(number) * 2_000_000, event_time_unix_nano=NOW + number) for number in range(10, 30)]
    for _ in range(2):
        store.write(batch(logs=records, id="large"))
    assert store.overview(ALL_TIME).logs == 20


def test_equal_rows_in_other_batches_are_rows_of_their_own(store: AgentStorage) -> None:
    """Only the batch id says what is a repetition: equal log records are two events."""
    for name in ("one", "two"):
        store.write(batch(logs=[log(), log()], id=name))
    assert store.find_logs(LogQuery(ALL_TIME)).records.num_rows == 4


def test_a_purged_batch_may_be_written_again(store: AgentStorage) -> None:
    written = batch([span()], [log()], id="again")
    store.write(written)
    store.purge()
    assert store.services() == []
    assert store.find_traces(TraceQuery(ALL_TIME)) == []
    store.write(written)
    assert len(store.find_traces(TraceQuery(ALL_TIME))) == 1
    assert store.services() == ["shop"]


def test_what_was_written_is_there_after_reopening(child: Child, tmp_path: Path) -> None:
    answers(child(tmp_path, "write", "0", "3", "10"))
    said = answers(child(tmp_path, "count"))[-1]
    assert (said["spans"], said["traces"], said["logs"]) == (30, 30, 30)
    assert said["services"] == ["service-0", "service-1", "service-2", "shop"]


@pytest.mark.parametrize("delay_lines", [1, 7])
def test_a_kill_in_mid_write_loses_nothing_and_repeats_nothing(child: Child, tmp_path: Path, delay_lines: int) -> None:
    """Each batch covers two days and two signals, so a kill can leave it half written."""
    last = 0
    for _ in range(3):
        process = child(tmp_path, "write", "0", "1000", str(ROWS))
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(delay_lines)]
        process.kill()
        lines += process.communicate()[0].splitlines()
        last = max(last, *(json.loads(line).get("writing", 0) for line in lines))
    answers(child(tmp_path, "write", "0", str(last + 1), str(ROWS)))
    said = answers(child(tmp_path, "count"))[-1]
    expected = (last + 1) * ROWS
    assert (said["spans"], said["traces"], said["logs"]) == (expected, expected, expected)


def test_another_process_is_told_that_the_folder_is_taken(child: Child, tmp_path: Path, engine_name: str) -> None:
    """A server's store may be open in any number of processes."""
    holder = child(tmp_path, "idle")
    assert holder.stdout is not None
    assert json.loads(holder.stdout.readline())["open"]
    said = answers(child(tmp_path, "count"))
    holder.kill()
    holder.communicate()
    assert (str(tmp_path) in said[0].get("refused", "")) == (engine_name in EXCLUSIVE)
    assert answers(child(tmp_path, "count"))[-1]["spans"] == 0


def test_numbered_batches_are_the_same_everywhere() -> None:
    assert numbered_batch(3, 4).spans.equals(numbered_batch(3, 4).spans)
