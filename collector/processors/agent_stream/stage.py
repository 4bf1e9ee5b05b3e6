"""The agent transfer processor in the pipeline: marks rows at ingest, recomputes what changed once it is quiet."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import structlog

from collector.journal.checkpoint import Checkpoint
from collector.logging import described
from collector.processors.agent_stream.evaluate import MINUTE_NS, Evaluator, Minute
from collector.processors.agent_stream.pending import Pending
from collector.processors.agent_stream.recent import RecentTraces
from collector.processors.agent_stream.rows import agent_log_rows, agent_span_rows
from collector.processors.agent_transfers.grouping import TRANSFER_LOG_PATTERN
from storage.agents import AgentStore
from storage.api import Batch

_log = structlog.get_logger(__name__)

EVALUATED_UNTIL = "evaluated_until_batch_unix_nano"


@dataclass(frozen=True, slots=True)
class TransferSettings:
    """How the processor works. Times in seconds. Only log records that match `log_prefilter` (RE2) are looked at."""

    quiet_seconds: float = 2.0
    log_prefilter: str = TRANSFER_LOG_PATTERN
    max_pending: int = 200_000
    max_recent: int = 50_000  # agentic traces whose later spans of any kind are noticed
    traces_per_round: int = 200
    idle_poll_seconds: float = 0.2
    save_seconds: float = 5.0
    retry_seconds: float = 2.0
    # While storage is behind, this many times the length of a round is left to ingest before the next one begins:
    # transfers then come later, acknowledgements do not.
    busy_rest: float = 9.0
    max_rest_seconds: float = 10.0


class TransferStage:
    """Implements `collector.pipeline.prepare.AgentRows`. `start` once after storage is open, `close` once before."""

    def __init__(self, settings: TransferSettings, store: AgentStore, evaluator: Evaluator, state: Checkpoint) -> None:
        self._settings = settings
        self._store = store
        self._evaluator = evaluator
        self._state = state
        self._traces: Pending[bytes] = Pending(settings.max_pending)
        self._minutes: Pending[Minute] = Pending(settings.max_pending)
        self._recent = RecentTraces(settings.max_recent)
        self._last_batch = int(state.load().get(EVALUATED_UNTIL, 0))
        self._resume_from: int | None = self._last_batch
        self._working_from: int | None = None
        self._saved_at = 0.0
        self._ingest_is_busy: Callable[[], bool] = lambda: False
        self._looking = False
        self._round_lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="baton-transfers")

    def start(self) -> None:
        """Start the thread; what an earlier process stored but did not look at is looked at first."""
        self._thread.start()

    def give_way_to(self, ingest_is_busy: Callable[[], bool]) -> None:
        """Tell the stage how to see that storage is behind."""
        self._ingest_is_busy = ingest_is_busy

    def close(self) -> None:
        """Stop after the running round; what is pending is found again at the next start."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._save()

    @property
    def is_alive(self) -> bool:
        """Tell whether the thread runs."""
        return self._thread.is_alive()

    @property
    def pending(self) -> int:
        """Traces and minutes that wait to be looked at; never 0 while some are looked at or storage has more."""
        return len(self._traces) + len(self._minutes) + (self._resume_from is not None) + self._looking

    def extract(self, spans: pa.Table, logs: pa.Table, batch_time_unix_nano: int) -> tuple[pa.Table, pa.Table]:
        """Return the AGENT_SPANS and AGENT_LOGS rows of a batch."""
        agent_logs = agent_log_rows(logs, batch_time_unix_nano, self._settings.log_prefilter)
        return agent_span_rows(spans, batch_time_unix_nano), agent_logs

    def stored(self, batch: Batch) -> None:
        """Mark the traces and minutes of a batch that reads can see now."""
        traces = set(pc.unique(batch.agent_spans["trace_id"]).to_pylist())
        minutes: set[Minute] = set()
        if batch.agent_logs.num_rows:
            names = ("trace_id", "service_name", "event_time_unix_nano")
            columns = [batch.agent_logs[name].to_pylist() for name in names]
            for trace_id, service, event_time in zip(*columns, strict=True):
                if trace_id:
                    traces.add(trace_id)
                else:
                    minutes |= _minutes_touched(service, event_time)
        self._recent.add(sorted(traces))
        # Spans without a word of agents shape the tree, and say which conversation a log record belongs to.
        traces |= self._recent.among(batch.spans["trace_id"])
        self._traces.touch(sorted(traces), batch.time_unix_nano)
        self._minutes.touch(sorted(minutes), batch.time_unix_nano)
        self._last_batch = batch.time_unix_nano  # earlier than the one before when the clock was put back

    @contextmanager
    def emptied(self) -> Iterator[None]:
        """Keep rounds out while storage is purged, and forget what was pending before."""
        with self._round_lock:
            self._traces.clear()
            self._minutes.clear()
            self._recent.clear()
            yield

    def _loop(self) -> None:
        while not self._stop.is_set():
            started = time.monotonic()
            try:
                with self._round_lock:
                    self._looking = True
                    worked = self._round()
                    self._looking = False
            except Exception as error:  # noqa: BLE001 (an edge: the thread survives whatever a round meets)
                _log.warning("transfers_round_failed", **described(error))
                marks = [mark for mark in (self._working_from, self._resume_from) if mark is not None]
                self._resume_from = min(marks, default=None)
                self._stop.wait(self._settings.retry_seconds)
                continue
            if not worked:
                self._stop.wait(self._settings.idle_poll_seconds)
            elif self._ingest_is_busy():
                rest = (time.monotonic() - started) * self._settings.busy_rest
                self._stop.wait(min(rest, self._settings.max_rest_seconds))

    def _round(self) -> bool:
        """Recompute what is quiet; return whether there was anything."""
        self._resume()
        settings = self._settings
        if self._traces or self._minutes:  # while these get quiet, the rules' process can start
            self._evaluator.warm_up()
        traces = self._traces.take_quiet(settings.quiet_seconds, settings.traces_per_round)
        minutes = self._minutes.take_quiet(settings.quiet_seconds, settings.traces_per_round)
        if traces or minutes:
            self._working_from = min(batch for _, batch in [*traces, *minutes])
            self._evaluator.evaluate_in_parts([trace for trace, _ in traces], [minute for minute, _ in minutes])
        self._working_from = None
        if time.monotonic() - self._saved_at >= settings.save_seconds:
            self._save()
        return bool(traces or minutes)

    def _resume(self) -> None:
        """Ask storage for what was not looked at: after a start, an overflow or a failed round."""
        marks = [self._traces.take_overflow(), self._minutes.take_overflow(), self._resume_from]
        self._resume_from = min((mark for mark in marks if mark is not None), default=None)
        if self._resume_from is None or not (self._traces.has_room and self._minutes.has_room):
            return
        found = self._store.agentic_since(self._resume_from, max(self._settings.max_pending // 2, 1))
        self._traces.restore(found.traces)
        self._recent.add(trace for trace, _ in found.traces)
        for service, event_time, batch in found.records:
            self._minutes.restore((minute, batch) for minute in sorted(_minutes_touched(service, event_time)))
        self._resume_from = found.next_batch

    def _save(self) -> None:
        """Remember up to which batch everything was looked at."""
        waiting = [self._traces.oldest_batch(), self._minutes.oldest_batch(), self._working_from, self._resume_from]
        oldest = min((batch for batch in waiting if batch is not None), default=self._last_batch)
        self._saved_at = time.monotonic()
        try:
            self._state.save({EVALUATED_UNTIL: oldest})
        except OSError as error:
            _log.warning("transfers_state_not_saved", error=error.strerror)


def _minutes_touched(service: str, event_time_unix_nano: int) -> set[Minute]:
    """Return the minute of a record, and its neighbour when the record is near enough to matter there."""
    margin = 5 * 10**9
    times = (max(event_time_unix_nano - margin, 0), event_time_unix_nano, event_time_unix_nano + margin)
    return {(service, moment // MINUTE_NS) for moment in times}
