"""Everything between a receiver and the disk: store, retention, journal, pipeline, agent transfers."""

import contextlib
import time
from collections.abc import Iterator

import structlog

from collector import settings
from collector.config.model import Config
from collector.config.processors import AgentTransfers
from collector.engines import open_engine
from collector.forwarding.metrics import ForwardCollector
from collector.forwards import Forwards
from collector.journal.checkpoint import Checkpoint
from collector.journal.journal import Journal
from collector.metrics import Metrics
from collector.pipeline.ingest import IngestPipeline
from collector.pipeline.ledger import Ledger
from collector.pipeline.store import LEDGER, RELEASED, StoreSettings, StoreStage
from collector.processors.agent_stream.evaluate import Evaluator
from collector.processors.agent_stream.stage import TransferSettings, TransferStage
from collector.processors.agent_stream.worker import RuleWorker
from collector.processors.agent_transfers.grouping import log_prefilter
from collector.retention import RetentionRunner
from collector.state import ServiceState
from storage.agents import AgentStorage
from storage.errors import StorageUnavailable
from storage.queries import Signal

_log = structlog.get_logger(__name__)
FLUSH_SECONDS = 20.0
PURGE_SECONDS = 10.0


class Storing:
    """Opened by its constructor, ended by `close`; what a failing constructor had opened is closed again."""

    def __init__(self, config: Config, metrics: Metrics) -> None:
        """Open the store and start what writes to it; what an earlier process left in the journal is stored first.

        Raises: StorageUnavailable, StorageRejected, JournalLocked, OSError, ValueError.
        """
        with contextlib.ExitStack() as undo:
            self.storage = self._open_storage(config, undo)
            self._transfers = self._start_transfers(config, undo)
            self._forwards = Forwards(config)
            undo.callback(self._forwards.close)
            metrics.registry.register(ForwardCollector(self._forwards.status, self._forwards.certificates))
            self.journal, self.ledger, self._store = self._open_journal(config, metrics, undo)
            if self._transfers is not None:
                self._transfers.give_way_to(lambda: self._store.backlog_rows > 0)
            self.pipeline = IngestPipeline(settings.ingest(config), self.journal, self.ledger, self._store)
            self.pipeline.start()
            undo.callback(self.pipeline.close, FLUSH_SECONDS)
            self._undo = undo.pop_all()

    def close(self) -> None:
        """Answer what waits, store what is durable, close the store. Idempotent."""
        self._undo.close()

    def state(self, starting: bool, draining: bool) -> ServiceState:
        """Return what health and metrics tell."""
        status, oldest = self._store.status, self.journal.oldest_unix
        return ServiceState(
            dead_threads=() if draining else tuple(self._dead_threads()),
            starting=starting,
            draining=draining,
            journal_error=self.journal.error,
            oldest_unstored_seconds=max(0.0, time.time() - oldest) if oldest else 0.0,
            journal_bytes=self.journal.bytes,
            journal_cap_bytes=self.journal.cap_bytes,
            store_failing_seconds=time.time() - status.failing_since if status.failing_since else 0.0,
            waiting_batches=status.waiting_batches,
            quarantined_batches=status.quarantined_batches,
        )

    def purge(self) -> None:
        """Remove every item received until now; what arrives once this has returned is kept.

        Raises: StorageUnavailable when what is still in the journal cannot be stored in time, so nothing was removed.
        """
        before = self.ledger.snapshot()
        deadline = time.monotonic() + PURGE_SECONDS
        while not self._settled(before):
            if time.monotonic() > deadline:
                raise StorageUnavailable("what was received before cannot be stored now; nothing was removed")
            time.sleep(0.02)
        with self._transfers.emptied() if self._transfers else contextlib.nullcontext():
            self.storage.purge()
            self.pipeline.forget_recent()
        _log.warning("storage_purged")

    def _settled(self, before: dict[str, dict[str, int]]) -> bool:
        """Tell whether everything received before is stored or rejected: items are settled in order."""
        now = self.ledger.snapshot()
        return all(now[s]["received"] - now[s]["pending"] >= before[s]["received"] for s in Signal)

    def _open_storage(self, config: Config, undo: contextlib.ExitStack) -> AgentStorage:
        written = settings.store(config)
        storage = open_engine(config, undo)
        undo.callback(storage.close)
        _log.info("storage_opened", engine=storage.engine, place=settings.store_place(config))
        self._retention = RetentionRunner(storage, settings.retention(written))
        self._retention.start()
        undo.callback(self._retention.close)
        return storage

    def _start_transfers(self, config: Config, undo: contextlib.ExitStack) -> TransferStage | None:
        written = settings.processor(config, "agent_transfers")
        if not isinstance(written, AgentTransfers):
            return None
        worker = RuleWorker(written.options())
        undo.callback(worker.close)
        limits = TransferSettings(
            quiet_seconds=written.quiet_period.total_seconds(),
            log_prefilter=log_prefilter(pattern.expression for pattern in written.patterns.values()),
        )
        state = Checkpoint(config.service.data_dir / "transfers.json")
        stage = TransferStage(limits, self.storage, Evaluator(self.storage, worker), state)
        stage.start()
        undo.callback(stage.close)
        return stage

    def _open_journal(
        self, config: Config, metrics: Metrics, undo: contextlib.ExitStack
    ) -> tuple[Journal, Ledger, StoreStage]:
        folder = settings.journal_directory(config)
        folder.mkdir(parents=True, exist_ok=True)
        checkpoint = Checkpoint(folder / "checkpoint.json")
        saved = checkpoint.load()
        journal = Journal(folder, config.service.journal.max_size, int(saved.get(RELEASED, -1)))
        undo.callback(journal.close)
        ledger = Ledger(saved.get(LEDGER))
        for segment in journal.pending():
            ledger.recovered(segment.items)
        writer = metrics.timed(self.storage)
        handover = self._forwards.take
        store = StoreStage(StoreSettings(), journal, checkpoint, ledger, writer, (), self._transfers, handover)
        return journal, ledger, store

    def _dead_threads(self) -> Iterator[str]:
        parts = (("ingest", self.pipeline), ("retention", self._retention), ("agent transfers", self._transfers))
        yield from (name for name, part in parts if part is not None and not part.is_alive)
        yield from self._forwards.dead_threads()
