"""The ingest journal: what was appended is found again, whatever happened in between."""

import errno
import os
import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from collector.journal.checkpoint import Checkpoint
from collector.journal.journal import Journal, JournalFull, JournalLocked, Segment
from collector.journal.segment import Record
from storage.queries import Signal

CAP = 1 << 20


def record(number: int, size: int = 100, signal: Signal = Signal.TRACES) -> Record:
    return Record(signal, 1_000 + number, items=3, body=bytes([number % 256]) * size)


def cut(journal: Journal) -> Segment:
    segment = journal.cut()
    assert segment is not None
    return segment


def test_records_come_back_in_order_after_a_crash(tmp_path: Path) -> None:
    journal = Journal(tmp_path, CAP)
    journal.append([record(1), record(2, signal=Signal.LOGS)])
    journal.append([record(3)])
    first = cut(journal)
    journal.append([record(4)])
    journal.close()  # the open segment was never cut: as after a kill

    reopened = Journal(tmp_path, CAP)
    segments = reopened.pending()
    assert [Journal.read(segment) for segment in segments] == [
        [record(1), record(2, signal=Signal.LOGS), record(3)],
        [record(4)],
    ]
    assert segments[0].items == {Signal.TRACES: 6, Signal.LOGS: 3}
    assert segments[0].batch_id == first.batch_id  # the deduplication token of the storage write
    assert reopened.bytes > 0
    reopened.close()


def test_released_segments_are_gone_and_their_files_are_reused(tmp_path: Path) -> None:
    journal = Journal(tmp_path, CAP)
    journal.append([record(1, size=5_000)])
    first = cut(journal)
    journal.release(first)
    assert journal.bytes == 0

    journal.append([record(2, size=10)])  # into the reused file, over the head of a longer record
    second = cut(journal)
    assert second.number == first.number + 1
    assert Journal.read(second) == [record(2, size=10)]
    journal.close()

    reopened = Journal(tmp_path, CAP, released=first.number)
    assert [Journal.read(segment) for segment in reopened.pending()] == [[record(2, size=10)]]
    reopened.close()


def test_segments_known_to_be_stored_are_dropped_and_numbers_go_on(tmp_path: Path) -> None:
    journal = Journal(tmp_path, CAP)
    journal.append([record(1)])
    stored = cut(journal)
    journal.close()  # killed between the checkpoint and the release

    reopened = Journal(tmp_path, CAP, released=stored.number)
    assert reopened.pending() == []
    reopened.append([record(2)])
    assert cut(reopened).number == stored.number + 1  # a number is a token: never used twice
    reopened.close()


@pytest.mark.parametrize("lost", [1, 20, 99])
def test_a_torn_record_ends_the_segment_and_costs_nothing_before_it(tmp_path: Path, lost: int) -> None:
    journal = Journal(tmp_path, CAP)
    journal.append([record(1), record(2)])
    journal.close()
    path = next(tmp_path.glob("segment-*"))
    os.truncate(path, path.stat().st_size - lost)

    reopened = Journal(tmp_path, CAP)
    assert [Journal.read(segment) for segment in reopened.pending()] == [[record(1)]]
    reopened.close()


def test_a_flipped_bit_is_noticed(tmp_path: Path) -> None:
    journal = Journal(tmp_path, CAP)
    journal.append([record(1), record(2)])
    journal.close()
    path = next(tmp_path.glob("segment-*"))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)

    reopened = Journal(tmp_path, CAP)
    assert [Journal.read(segment) for segment in reopened.pending()] == [[record(1)]]
    reopened.close()


@pytest.mark.parametrize(
    ("place", "size", "lost"),
    [(4, 4, []), (40, 4, [1]), (140, 30, [1, 2]), (150, 4, [2]), (161, 8, [2]), (250, 104, [2, 3])],
)
def test_what_the_disk_damaged_costs_only_itself_and_is_said(
    tmp_path: Path, place: int, size: int, lost: list[int]
) -> None:
    """The four records of 133 bytes start at byte 16."""
    journal = Journal(tmp_path, CAP)
    for number in range(1, 5):
        journal.append([record(number)])
    journal.close()
    path = next(tmp_path.glob("segment-*"))
    data = bytearray(path.read_bytes())
    data[place : place + size] = b"\xff" * size
    path.write_bytes(data)

    with capture_logs() as logs:
        reopened = Journal(tmp_path, CAP)
    (segment,) = reopened.pending()
    kept = [number for number in range(1, 5) if number not in lost]
    assert Journal.read(segment) == [record(number) for number in kept]
    assert segment.items == {Signal.TRACES: 3 * len(kept)}
    said = [line["bytes_lost"] for line in logs if line["event"] == "journal_damaged"]
    assert said == ([len(lost) * 133] if lost else [])
    reopened.close()


def test_a_first_write_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    journal = Journal(tmp_path, CAP)
    journal.append([record(1)])
    released = cut(journal)
    journal.append([record(2)])
    torn = cut(journal)
    journal.release(released)
    journal.append([record(3)])  # over what the released segment left
    whole = cut(journal)
    journal.close()
    data = torn.path.read_bytes()
    torn.path.write_bytes(data[:-1])
    (tmp_path / "segment-000000000003").write_bytes(data[:8] + (3).to_bytes(8, "little") + data[16:])

    with capture_logs() as logs:
        reopened = Journal(tmp_path, CAP)
    assert [segment.number for segment in reopened.pending()] == [whole.number]
    reopened.close()
    said = [line for line in logs if line["event"] == "journal_segment_unreadable"]
    assert [(line["log_level"], line["segment"], line["bytes"]) for line in said] == [
        ("warning", torn.path.name, len(data) - 1)
    ]


def test_the_number_of_a_segment_that_is_damaged_as_a_whole_is_not_used_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path, CAP)
    journal.append([record(1)])
    damaged = cut(journal)  # stored, perhaps: then the engine knows its id
    journal.close()
    damaged.path.write_bytes(b"\xff" * damaged.bytes)

    with capture_logs() as logs:
        reopened = Journal(tmp_path, CAP)
    assert reopened.pending() == []
    assert [line["event"] for line in logs] == ["journal_segment_unreadable"]
    reopened.append([record(2)])
    assert cut(reopened).batch_id != damaged.batch_id
    reopened.close()


def test_files_that_are_not_the_journals_own_are_left_alone(tmp_path: Path) -> None:
    copy = tmp_path / "segment-000000000000.copy"
    copy.write_bytes(b"somebody's copy")
    Journal(tmp_path, CAP).close()
    assert copy.read_bytes() == b"somebody's copy"


def test_damage_is_looked_over_for_a_bounded_time(tmp_path: Path) -> None:
    journal = Journal(tmp_path, CAP)
    journal.append([record(1)])  # of segment 0: zeros look like its records
    journal.close()
    path = next(tmp_path.glob("segment-*"))
    with path.open("ab") as file:
        file.write(bytes(1 << 20))

    reopened = Journal(tmp_path, CAP)
    assert [Journal.read(segment) for segment in reopened.pending()] == [[record(1)]]
    reopened.close()


def test_the_cap_refuses_and_lifts_with_the_release(tmp_path: Path) -> None:
    journal = Journal(tmp_path, cap_bytes=1_000)
    journal.append([record(1, size=600)])
    with pytest.raises(JournalFull, match="of at most 1000 bytes"):
        journal.append([record(2, size=600)])
    journal.release(cut(journal))
    journal.append([record(2, size=600)])
    assert Journal.read(cut(journal)) == [record(2, size=600)]
    journal.close()


def test_a_failed_append_leaves_nothing_that_a_replay_could_meet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path, CAP)
    journal.append([record(1)])

    def full_disk(_fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", full_disk)
        with pytest.raises(OSError, match="No space left"):
            journal.append([record(2)])
    journal.append([record(3)])
    segment = cut(journal)
    assert Journal.read(segment) == [record(1), record(3)]
    assert segment.items == {Signal.TRACES: 6}
    journal.close()


@pytest.mark.parametrize("call", ["os.pwrite", "pathlib.Path.rename", "os.fsync"])
def test_a_segment_that_cannot_be_opened_costs_neither_a_descriptor_nor_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    journal = Journal(tmp_path, CAP)
    journal.append([record(1)])
    journal.release(cut(journal))

    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    before = len(list(Path("/proc/self/fd").iterdir()))
    with monkeypatch.context() as patched:
        patched.setattr(call, broken)
        with pytest.raises(OSError, match="Input/output"):
            journal.append([record(2)])
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert list(tmp_path.glob("spare-*")) == []
    journal.append([record(3)])
    assert Journal.read(cut(journal)) == [record(3)]
    assert len(list(tmp_path.glob("segment-*"))) == 1
    journal.close()


def test_an_error_of_closing_does_not_keep_a_segment_from_being_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path, CAP)
    journal.append([record(1)])
    close = os.close

    def late(fd: int) -> None:
        close(fd)
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr("os.close", late)
        segment = journal.cut()
    assert segment is not None
    assert Journal.read(segment) == [record(1)]
    journal.close()


def test_a_quarantined_segment_is_tried_again_after_a_restart(tmp_path: Path) -> None:
    journal = Journal(tmp_path, CAP)
    journal.append([record(1)])
    poisoned = cut(journal)
    journal.quarantine(poisoned)
    journal.append([record(2)])
    stored = cut(journal)
    journal.release(stored)
    journal.close()

    reopened = Journal(tmp_path, CAP, released=stored.number)
    assert [Journal.read(segment) for segment in reopened.pending()] == [[record(1)]]
    assert reopened.pending()[0].batch_id == poisoned.batch_id
    reopened.close()


def test_a_second_process_is_kept_out(tmp_path: Path) -> None:
    journal = Journal(tmp_path, CAP)
    with pytest.raises(JournalLocked, match="another process"):
        Journal(tmp_path, CAP)
    journal.close()
    Journal(tmp_path, CAP).close()


def test_nothing_to_cut(tmp_path: Path) -> None:
    journal = Journal(tmp_path, CAP)
    assert journal.cut() is None
    journal.close()


def test_checkpoint_is_replaced_as_a_whole(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "state.json")
    assert checkpoint.load() == {}
    checkpoint.save({"a": 1})
    checkpoint.save({"b": [2]})
    assert checkpoint.load() == {"b": [2]}
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


@pytest.mark.parametrize("content", [b"", b'{"a": 1', b"[1]", b"\xff\xfe"])
def test_a_damaged_checkpoint_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"{path} is damaged"):
        Checkpoint(path).load()


def test_the_oldest_record_that_storage_does_not_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path, CAP)
    assert journal.oldest_unix is None
    for now in (1_000.0, 2_000.0):
        monkeypatch.setattr("time.time", lambda now=now: now)
        journal.append([record(1)])
        journal.append([record(2)])
        segment = cut(journal)
    assert journal.oldest_unix == 1_000.0

    journal.release(Segment(segment.number - 1, "", tmp_path / "segment-000000000000", segment.bytes, {}))
    assert journal.oldest_unix == 2_000.0
    journal.quarantine(segment)
    assert journal.oldest_unix is None
    journal.close()


def test_a_failed_write_is_told_until_one_works_or_some_time_has_passed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path, CAP)
    journal.append([record(1)])

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr("os.fdatasync", fail)
        with pytest.raises(OSError, match="Input/output"):
            journal.append([record(2)])
    assert journal.error == "Input/output error"

    with monkeypatch.context() as later:
        now = time.monotonic()
        later.setattr("time.monotonic", lambda: now + 11)
        assert journal.error == ""
    journal.append([record(3)])
    assert journal.error == ""
    journal.close()


def test_an_identity_that_never_reached_the_disk_is_made_anew(tmp_path: Path) -> None:
    ids = set()
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        (folder / "identity").write_text("")  # made just before the power failed
        for _ in range(2):
            journal = Journal(folder, CAP)
            journal.append([record(1)])
            ids.add(cut(journal).batch_id)
            journal.close()
    assert len(ids) == 4
    assert all(batch_id.rpartition("-")[0] for batch_id in ids)
    assert len({batch_id.rpartition("-")[0] for batch_id in ids}) == 2
