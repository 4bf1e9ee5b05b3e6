"""`baton migrate` and `baton copy` as people run them: real processes, killed, refused, on a terminal and off it."""

import os
import pty
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
import yaml

from collector.journal.journal import Journal
from collector.journal.segment import Record
from storage.agents import AgentStorage
from storage.bulk import ItemTable
from storage.postgres.local import LocalServer
from storage.queries import Signal
from tests.contract.items import SECOND, batch, canonical, log, span
from tests.contract.test_bulk import read
from tests.postgres import new_database, open_database

BATON = [sys.executable, "-m", "collector.cli"]
TODAY = datetime.now(UTC).date()
NOON = int(datetime(TODAY.year, TODAY.month, TODAY.day, 12, tzinfo=UTC).timestamp()) * SECOND


class Place:
    """A folder with an embedded store and a PostgreSQL database to be, and a configuration for each."""

    def __init__(self, folder: Path, dsn: str) -> None:
        self.folder, self.dsn = folder, dsn
        self.name = f"moving_{abs(hash(str(folder))) % 10**9}"
        self.database = new_database(dsn, self.name)
        self.postgres = self.config("postgres.yaml", engine="postgres", dsn="${env:BATON_TEST_DSN}")
        self.embedded = self.config("embedded.yaml", engine="embedded")

    def config(self, name: str, **storage: object) -> Path:
        written = {"service": {"data_dir": str(self.folder / name.removesuffix(".yaml"))}}
        file = self.folder / name
        file.write_text(yaml.safe_dump({**written, "exporters": {"storage": storage}}))
        return file

    def command(self, *arguments: object) -> tuple[list[str], dict[str, str]]:
        return [*BATON, *map(str, arguments)], {**os.environ, "BATON_TEST_DSN": self.database}

    def run(self, *arguments: object) -> "subprocess.CompletedProcess[str]":
        command, environment = self.command(*arguments)
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)

    def start(self, *arguments: object) -> "subprocess.Popen[str]":
        command, environment = self.command(*arguments)
        return subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def fill(self, batches: int = 1, rows: int = 50, days_ago: int = 0) -> AgentStorage:
        """Write spans and log records into the database and return the store."""
        store = open_database(self.name)
        start = NOON - days_ago * 86_400 * SECOND
        day = TODAY - timedelta(days=days_ago)
        for number in range(batches):
            at = [start + (number * rows + row) * SECOND // 50 for row in range(rows)]
            spans = [span([("n", time)], start_time_unix_nano=time, day=day) for time in at]
            store.write(batch(spans, [log(f"{time}", event_time_unix_nano=time, day=day) for time in at]))
        return store


@pytest.fixture
def place(tmp_path: Path, postgres_server: LocalServer) -> Place:
    return Place(tmp_path, postgres_server.dsn)


def refused(done: "subprocess.CompletedProcess[str]") -> str:
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_migrate_shows_applies_and_refuses(place: Place) -> None:
    for config in (place.postgres, place.embedded):
        shown = place.run("migrate", "--config", config, "--check")
        assert shown.returncode == 0, shown.stderr
        assert "would" in shown.stdout
        assert not (place.folder / "embedded").exists()
    for config in (place.postgres, place.embedded):
        applied = place.run("migrate", "--config", config)
        assert applied.returncode == 0, applied.stderr
        assert "applied 0001_items" in applied.stdout
        again = place.run("migrate", "--config", config)
        assert again.stdout.endswith("up to date.\n")
        assert "applied" not in again.stdout
    with psycopg.connect(place.database) as connection:
        connection.execute("INSERT INTO baton.schema_migrations (version, name) VALUES (9999, 'later')")
    for option in ("--check", "--config"):
        arguments = [option] if option == "--check" else []
        assert "schema version 9999" in refused(place.run("migrate", "--config", place.postgres, *arguments))


def test_migrate_says_why_it_cannot(place: Place) -> None:
    away = place.config("away.yaml", engine="postgres", dsn="host=127.0.0.1 port=1 dbname=x")
    assert "Baton cannot migrate: " in refused(place.run("migrate", "--config", away))
    folder = place.folder / "embedded" / "clickhouse"
    command = [sys.executable, "-m", "tests.contract.child", "clickhouse-embedded", str(folder), "idle"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert "open" in holder.stdout.readline()
        held = refused(place.run("migrate", "--data-dir", place.folder / "embedded"))
        holder.kill()
    assert "another process" in held


def test_a_copy_killed_again_and_again_stores_everything_once(place: Place) -> None:
    store = place.fill(batches=8, rows=3_000)
    back = Place(place.folder, place.dsn)
    assert place.run("copy", "--from", place.postgres, "--to", place.embedded).returncode == 0
    back.database = new_database(place.dsn, f"{place.name}_back")
    kills = 0
    for attempt in range(4):
        with back.start("copy", "--from", place.embedded, "--to", place.postgres) as copy:
            time.sleep(1.6 + 0.25 * attempt)
            if copy.poll() is not None:
                break
            os.killpg(copy.pid, signal.SIGKILL)
            kills += 1
    assert kills > 1
    done = back.run("copy", "--from", place.embedded, "--to", place.postgres, "--compare")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "were missing" not in done.stdout
    target = open_database(f"{place.name}_back")
    for kind in (ItemTable.SPANS, ItemTable.LOGS):
        assert Counter(canonical(read(target, kind))) == Counter(canonical(read(store, kind)))
    store.close()
    target.close()


def test_a_signal_ends_a_copy_between_two_inserts(place: Place) -> None:
    place.fill(batches=8, rows=3_000).close()
    with place.start("copy", "--from", place.postgres, "--to", place.embedded) as copy:
        assert copy.stdout is not None
        assert "From postgres" in copy.stdout.readline()
        copy.send_signal(signal.SIGTERM)
        said = copy.stdout.read()
    assert (copy.returncode, "run the same command again" in said) in [(130, True), (0, False)], said
    done = place.run("copy", "--from", place.postgres, "--to", place.embedded)
    assert done.returncode == 0, done.stderr
    assert "Everything in the source is in the target." in done.stdout
    assert '"event":"copying"' in done.stderr


def test_a_terminal_sees_a_bar(place: Place) -> None:
    place.fill().close()
    command, environment = place.command("copy", "--from", place.postgres, "--to", place.embedded)
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, env=environment | {"COLUMNS": "140"}, stdout=theirs, stderr=theirs) as copy:
        os.close(theirs)
        shown = b""
        try:
            while chunk := os.read(ours, 4096):
                shown += chunk
        except OSError:  # what a terminal's other end gives instead of an end
            pass
    os.close(ours)
    assert copy.returncode == 0
    assert b"100 %" in shown
    assert b"100 of 100 rows, " in shown


def test_days_that_the_target_would_drop_are_not_copied_in_silence(place: Place) -> None:
    place.fill(days_ago=30).close()
    place.fill().close()
    arguments = ("copy", "--from", place.postgres, "--to", place.embedded)
    said = refused(place.run(*arguments))
    assert f"50 spans of 1 days, {TODAY - timedelta(days=30)}" in said
    assert "--leave-out-expired" in said
    done = place.run(*arguments, "--leave-out-expired", "--compare")
    assert done.returncode == 0, done.stderr
    assert "Written: 50 spans, 50 log records in" in done.stdout
    assert str(TODAY - timedelta(days=30)) not in done.stdout
    keeping = place.config("embedded.yaml", engine="embedded", retention={"traces": None, "logs": None})
    done = place.run("copy", "--from", place.postgres, "--to", keeping)
    assert "Written: 50 spans, 50 log records in" in done.stdout


def test_what_cannot_be_copied_is_refused_in_a_sentence(place: Place) -> None:
    copy = ("copy", "--to", place.postgres, "--from")
    assert "no store at" in refused(place.run(*copy, place.folder / "nothing"))
    assert not (place.folder / "nothing").exists()
    assert "the same store" in refused(place.run(*copy, place.postgres))
    assert "cp -a" in refused(place.run("copy", "--from", place.embedded, "--to", place.folder / "other"))
    assert "Baton never ran on it" in refused(place.run("copy", "--from", place.postgres, "--to", place.embedded))
    broken = place.folder / "broken.yaml"
    broken.write_text("exporters: {storage: {engine: mysql}}")
    assert "exporters.storage.engine" in refused(place.run(*copy, broken))


def test_a_target_that_cannot_take_it_is_refused_in_a_sentence(place: Place) -> None:
    assert place.run("migrate", "--config", place.embedded).returncode == 0
    away = place.config("away.yaml", engine="postgres", dsn="host=127.0.0.1 port=1 dbname=x")
    said = refused(place.run("copy", "--from", place.embedded, "--to", away))
    assert "The copy ended early" in said
    assert "run the same command again" in said
    place.fill().close()
    with psycopg.connect(place.database) as connection:
        connection.execute("INSERT INTO baton.schema_migrations (version, name) VALUES (9999, 'later')")
    assert "9999" in refused(place.run("copy", "--from", place.embedded, "--to", place.postgres))
    assert "9999" in refused(place.run("copy", "--from", place.postgres, "--to", place.embedded))


def test_what_only_the_journal_has_is_not_left_behind(place: Place) -> None:
    assert place.run("migrate", "--config", place.embedded).returncode == 0
    journal = Journal(place.folder / "embedded" / "journal", 1 << 30)
    journal.append([Record(Signal.TRACES, NOON, 3, b"whatever")])
    journal.close()
    said = refused(place.run("copy", "--from", place.embedded, "--to", place.postgres))
    assert "journal holds 3 items" in said
