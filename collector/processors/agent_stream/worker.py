"""The rules in a process of their own, at low priority: their Python loops must not slow down the ingest path.

The child imports the rules only, never the storage engine. Messages are pickled values over a pipe; a child that dies
is started again, and the groups it had are computed again: once, because it may have died of them. A group over which
the rules loop or take too long is given up, as one that they fail on.
"""

from __future__ import annotations

import os
import signal
import threading
import traceback
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path

import pyarrow as pa

from collector.processors.agent_stream import cpu_limit
from collector.processors.agent_stream.read import read_logs, read_spans
from collector.processors.agent_stream.runs import AgentRun, find_runs
from collector.processors.agent_transfers.detect import Options, detect_prepared
from collector.processors.agent_transfers.group import prepare
from collector.processors.agent_transfers.model import LogRecord, Span, Transfer

_NICENESS = 19
GROUP_CPU_SECONDS = 30.0
"""What the rules may take for one group; the largest traces that they look at take some seconds."""


@dataclass(frozen=True, slots=True)
class Work:
    """Groups to compute: their spans (SPANS) and log records (AGENT_LOGS), and which traces make which group.

    Records without a trace are groups of their own, one list of row numbers of `logs` each.
    """

    spans: pa.Table
    logs: pa.Table
    groups: tuple[tuple[bytes, ...], ...]
    traceless: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """The outcome, one entry for each of `Work.groups`, then for each of `Work.traceless`."""

    transfers: tuple[tuple[Transfer, ...], ...]
    runs: tuple[tuple[AgentRun, ...], ...]
    faults: tuple[str, ...]  # where the rules failed, empty if they did not; such a group has no transfers and no runs


def compute(work: Work, options: Options, group_cpu_seconds: float = GROUP_CPU_SECONDS) -> Found:
    """Apply the rules to every group; one that they fail on or take too long for costs its own transfers only.

    Pure. For the main thread of a process.
    """
    spans_of: dict[bytes, list[Span]] = {}
    logs_of: dict[bytes, list[LogRecord]] = {}
    for span in read_spans(work.spans):
        spans_of.setdefault(span.trace_id, []).append(span)
    records = read_logs(work.logs)
    for record in records:
        logs_of.setdefault(record.trace_id, []).append(record)
    outcomes = []
    for traces in work.groups:
        spans = [span for trace in traces for span in spans_of.get(trace, ())]
        logs = [record for trace in traces for record in logs_of.get(trace, ())]
        outcomes.append(_outcome(spans, logs, options, group_cpu_seconds))
    outcomes += [
        _outcome([], [records[number] for number in numbers], options, group_cpu_seconds) for numbers in work.traceless
    ]
    transfers, runs, faults = zip(*outcomes, strict=True) if outcomes else ((), (), ())
    return Found(transfers, runs, faults)


def _outcome(
    spans: Sequence[Span], logs: Sequence[LogRecord], options: Options, cpu_seconds: float
) -> tuple[tuple[Transfer, ...], tuple[AgentRun, ...], str]:
    """Return the transfers and runs of one group, and where the rules failed, if they did."""
    try:
        with cpu_limit.at_most(cpu_seconds):
            group = prepare(spans)
            return tuple(detect_prepared(group, logs, options)), tuple(find_runs(group)), ""
    except Exception as error:  # noqa: BLE001 (the edge of the rules: odd telemetry must not end all others' transfers)
        ours = (step for step in traceback.extract_tb(error.__traceback__) if step.filename != cpu_limit.__file__)
        *_, at = ours
        return (), (), f"{type(error).__name__} in {Path(at.filename).name}:{at.lineno}"


class RulesDied(RuntimeError):
    """The child ended over some work, and only over this."""


class RuleWorker:
    """One child process that computes `Work`. Calls come from one thread."""

    def __init__(self, options: Options, group_cpu_seconds: float = GROUP_CPU_SECONDS) -> None:
        self._options, self._group_cpu_seconds = options, group_cpu_seconds
        self._pool: ProcessPoolExecutor | None = None

    def compute(self, work: Work) -> Found:
        """Compute in the child; once more in a new child when it died.

        Raises RulesDied after that, BrokenProcessPool when no child can live whatever it is given.
        """
        try:
            return self._submit(work).result()
        except BrokenProcessPool:
            self.close()
        try:
            return self._submit(work).result()
        except BrokenProcessPool as error:
            self.close()
            self._child().submit(os.getpid).result()
            raise RulesDied("the process of the transfer rules ended over this work, twice") from error

    def warm_up(self) -> None:
        """Start the child if there is none, without waiting for it: loading what it needs takes a second or two."""
        if self._pool is None:
            self._child().submit(os.getpid)

    def _submit(self, work: Work) -> Future[Found]:
        return self._child().submit(compute, work, self._options, self._group_cpu_seconds)

    def _child(self) -> ProcessPoolExecutor:
        if self._pool is None:
            # spawn: a fork would copy the storage engine's threads half-way
            self._pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_settle_in)
        return self._pool

    def close(self) -> None:
        """End the child. Idempotent."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None


def _settle_in() -> None:
    os.nice(_NICENESS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to end
    threading.Thread(target=_end_with_parent, name="baton-parent-watch", daemon=True).start()


def _end_with_parent() -> None:
    """End the child when its parent is gone: a killed parent cannot tell it to."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(0)
