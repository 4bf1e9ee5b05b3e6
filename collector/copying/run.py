"""`baton copy`: opens both stores, copies, says what came of it. Every outcome is an exit code and a sentence."""

import contextlib
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from rich.console import Console

from collector import settings
from collector.config.errors import ConfigError
from collector.config.processors import AgentTransfers
from collector.copying.copy import Copy, Outcome
from collector.copying.days import Counts, counts, expired, total
from collector.copying.ends import CopyRefused, End, check_ends, check_source, evaluated_until, read_end, state_file
from collector.copying.meter import meter
from collector.copying.report import expired_message, outcome_lines
from collector.copying.state import CopyState
from collector.engines import open_engine
from collector.logging import configure_logging
from collector.processors.agent_stream.evaluate import Evaluator
from collector.processors.agent_stream.worker import RuleWorker
from storage.agents import AgentStorage
from storage.errors import StorageRejected, StorageUnavailable

_AGAIN = "What was copied stays; run the same command again to go on."


@dataclass(frozen=True, slots=True)
class CopyOptions:
    """What the command line says."""

    source: Path
    target: Path
    leave_out_expired: bool = False
    compare: bool = False


class Stopped(Exception):
    """SIGINT or SIGTERM asked the copy to end."""


def run_copy(options: CopyOptions) -> int:
    """Copy; return the exit code: 0 everything is in the target, 1 it is not, 130 stopped by a signal."""
    console = Console(stderr=True)
    configure_logging()
    try:
        source, target = read_end(options.source, "--from"), read_end(options.target, "--to")
        check_ends(source, target)
        notes = check_source(source)
    except ConfigError as error:
        return _failed("\n  ".join(["the configuration has problems:", *map(str, error.problems)]))
    except (CopyRefused, StorageUnavailable, StorageRejected, OSError, ValueError) as error:
        return _failed(f"the source cannot be copied: {error}" if not isinstance(error, CopyRefused) else str(error))
    for note in notes:
        _say(console, f"Note: {note}.")
    with contextlib.ExitStack() as undo:
        try:
            outcome = _copy(source, target, options, console, undo)
        except CopyRefused as error:
            return _failed(str(error))
        except Stopped:
            sys.stderr.write(f"Stopped. {_AGAIN}\n")
            return 130
        except (StorageUnavailable, StorageRejected, OSError, ValueError) as error:
            return _failed(f"the copy ended early: {error}\n{_AGAIN}")
    for line in outcome_lines(outcome):
        sys.stdout.write(f"{line}\n")
    return 1 if outcome.missing else 0


def _copy(source: End, target: End, options: CopyOptions, console: Console, undo: contextlib.ExitStack) -> Outcome:
    reader = _opened(source, undo)
    writer = _opened(target, undo)
    stop = _StopFlag()
    found = counts(reader)
    left_out = _left_out(found, target, options)
    file = state_file(source, target)
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        state = CopyState(file)
    except ValueError as error:
        raise CopyRefused(f"{file} is damaged ({error}); delete it: what is copied already is found again") from error
    _say(console, f"From {source.place}, {reader.engine}: {total(found):,} rows")
    _say(console, f"To   {target.place}, {writer.engine}; state in {file}")
    evaluator = _evaluator(target, writer, undo)
    with meter(console) as shown:
        work = Copy(reader, writer, state, shown, left_out, stop.check)
        return work.run(evaluator, evaluated_until(source.config), compare=options.compare)


def _opened(end: End, undo: contextlib.ExitStack) -> AgentStorage:
    storage = open_engine(end.config, undo, as_guest=True)
    undo.callback(storage.close)
    return storage


def _left_out(found: Counts, target: End, options: CopyOptions) -> Counts:
    """Return the days not to copy. Raises CopyRefused when there are some and nobody agreed to it."""
    old = expired(found, settings.retention(settings.store(target.config)), time.time_ns())
    if old and not options.leave_out_expired:
        raise CopyRefused(expired_message(old))
    return old


def _evaluator(target: End, writer: AgentStorage, undo: contextlib.ExitStack) -> Evaluator | None:
    written = settings.processor(target.config, "agent_transfers")
    if not isinstance(written, AgentTransfers):
        return None
    worker = RuleWorker(written.options())
    undo.callback(worker.close)
    return Evaluator(writer, worker)


class _StopFlag:
    """The first signal ends the copy between two inserts, the second at once. Make it after the engine opened."""

    def __init__(self) -> None:
        self._asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM, signal.SIGINT))

    def check(self) -> None:
        """Raise Stopped once a signal has come."""
        if self._asked:
            raise Stopped

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        if self._asked:
            os._exit(128 + number)  # the checkpoint holds
        self._asked = True


def _say(console: Console, line: str) -> None:
    console.print(line, soft_wrap=True, highlight=False, markup=False)


def _failed(message: str) -> int:
    sys.stderr.write(f"{message[:1].upper()}{message[1:]}\n")
    return 1
