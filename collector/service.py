"""The composition root: makes every part, starts them in order, and ends them in the order that loses nothing."""

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import structlog

from collector import settings
from collector.config.extensions import Query
from collector.config.model import Config
from collector.config.values import Address
from collector.journal.checkpoint import Checkpoint
from collector.journal.journal import Journal
from collector.metrics import Metrics
from collector.pipeline.ingest import IngestPipeline
from collector.pipeline.ledger import Ledger
from collector.pipeline.store import LEDGER, RELEASED, StoreSettings, StoreStage
from collector.query.app import build_app
from collector.query.dependencies import QueryDependencies
from collector.query.server import QueryServer
from collector.receivers.listening import check_free, open_sockets
from collector.receivers.otlp_grpc import OtlpGrpcReceiver
from collector.receivers.otlp_http import OtlpHttpReceiver
from collector.retention import RetentionRunner
from collector.state import ServiceState
from storage.api import Storage
from storage.clickhouse.embedded import open_embedded

_log = structlog.get_logger(__name__)
VERSION = version("baton-collector")
RECEIVER_GRACE_SECONDS = 5.0
FLUSH_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Listening:
    """Where a started service listens; the ports are the real ones."""

    otlp_grpc: tuple[Address, ...] = ()
    otlp_http: tuple[Address, ...] = ()
    query: Address | None = None


class Service:
    """A whole Baton. `start` once; `close` ends it, also after a `start` that failed.

    Install signal handlers after `start`: the engine installs its own when it opens.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._undo = contextlib.ExitStack()
        self._starting, self._draining = True, False
        self._stopping = threading.Event()
        self._metrics = Metrics(VERSION)
        self._journal: Journal | None = None
        self._store: StoreStage | None = None
        self._pipeline: IngestPipeline | None = None
        self._retention: RetentionRunner | None = None
        self._query: QueryServer | None = None
        self._receivers: list[OtlpGrpcReceiver | OtlpHttpReceiver] = []

    def start(self) -> Listening:
        """Start every part, receivers last: what is accepted has somewhere to go.

        Raises: ListenError, JournalLocked, StorageUnavailable, StorageRejected, OSError, ValueError; nothing runs then.
        """
        try:
            self._check_ports()
            storage = self._open_storage()
            pipeline, ledger = self._start_pipeline(storage)
            query = self._start_query(storage, ledger)
            listening = self._start_receivers(pipeline, query)
        except BaseException:
            self.close()
            raise
        self._starting = False
        return listening

    def close(self) -> None:
        """Stop accepting, finish what is under way, store what is durable, close the store. Idempotent."""
        self._draining = True
        self._undo.close()

    def state(self) -> ServiceState:
        """Return what health and metrics tell."""
        if self._journal is None or self._store is None:
            return ServiceState(starting=self._starting, draining=self._draining)
        status = self._store.status
        return ServiceState(
            dead_threads=() if self._draining else tuple(self._dead_threads()),
            starting=self._starting,
            draining=self._draining,
            journal_bytes=self._journal.bytes,
            journal_cap_bytes=self._journal.cap_bytes,
            store_failing_seconds=time.time() - status.failing_since if status.failing_since else 0.0,
            waiting_batches=status.waiting_batches,
            quarantined_batches=status.quarantined_batches,
        )

    def _check_ports(self) -> None:
        """Say that a port is taken before an engine is loaded for nothing."""
        for receiver in settings.receivers(self._config):
            for protocol in (receiver.protocols.grpc, receiver.protocols.http):
                if protocol is not None:
                    check_free(protocol.endpoint.host, protocol.endpoint.port)

    def _open_storage(self) -> Storage:
        written = settings.store(self._config)
        storage = open_embedded(settings.store_directory(self._config), settings.embedded(written))
        self._undo.callback(storage.close)
        self._retention = RetentionRunner(storage, settings.retention(written))
        self._undo.callback(self._retention.close)
        self._retention.start()
        _log.info("storage_opened", engine=storage.engine, directory=str(settings.store_directory(self._config)))
        return storage

    def _start_pipeline(self, storage: Storage) -> tuple[IngestPipeline, Ledger]:
        self._undo.callback(self._close_query)  # after the pipeline, so that the ledger can be read to the end
        folder = settings.journal_directory(self._config)
        folder.mkdir(parents=True, exist_ok=True)
        checkpoint = Checkpoint(folder / "checkpoint.json")
        saved = checkpoint.load()
        journal = Journal(folder, self._config.service.journal.max_size, int(saved.get(RELEASED, -1)))
        self._undo.callback(journal.close)
        ledger = Ledger(saved.get(LEDGER))
        for segment in journal.pending():
            ledger.recovered(segment.items)
        store = StoreStage(StoreSettings(), journal, checkpoint, ledger, self._metrics.timed(storage))
        pipeline = IngestPipeline(settings.ingest(self._config), journal, ledger, store)
        pipeline.start()
        self._undo.callback(pipeline.close, FLUSH_SECONDS)
        self._journal, self._store, self._pipeline = journal, store, pipeline
        self._metrics.watch(self.state, ledger.snapshot)
        return pipeline, ledger

    def _start_query(self, storage: Storage, ledger: Ledger) -> Address | None:
        written = settings.extension(self._config, "query")
        if not isinstance(written, Query):
            return None
        dependencies = QueryDependencies(
            storage=storage,
            ledger=ledger,
            state=self.state,
            metrics=self._metrics,
            version=VERSION,
            base_path=written.base_path,
            authorize=settings.authorizer(written.auth),
            stopping=self._stopping,
        )
        sockets = open_sockets(written.endpoint.host, written.endpoint.port)
        self._query = QueryServer(build_app(dependencies), sockets, self._stopping)
        self._query.start()
        return Address(written.endpoint.host, self._query.port)

    def _close_query(self) -> None:
        if self._query is not None:
            self._query.close()

    def _start_receivers(self, pipeline: IngestPipeline, query: Address | None) -> Listening:
        self._undo.callback(self._close_receivers)
        protocols = [receiver.protocols for receiver in settings.receivers(self._config)]
        grpc = [
            (written, OtlpGrpcReceiver(settings.grpc(written), pipeline, settings.authenticator(written.auth)))
            for written in (each.grpc for each in protocols)
            if written is not None
        ]
        http = [
            (written, OtlpHttpReceiver(settings.http(written), pipeline, settings.authenticator(written.auth)))
            for written in (each.http for each in protocols)
            if written is not None
        ]
        return Listening(
            otlp_grpc=tuple(self._started(receiver, written.endpoint.host) for written, receiver in grpc),
            otlp_http=tuple(self._started(receiver, written.endpoint.host) for written, receiver in http),
            query=query,
        )

    def _started(self, receiver: OtlpGrpcReceiver | OtlpHttpReceiver, host: str) -> Address:
        receiver.start()
        self._receivers.append(receiver)
        return Address(host, receiver.port)

    def _close_receivers(self) -> None:
        for receiver in self._receivers:
            receiver.drain()
        for receiver in self._receivers:
            receiver.close(RECEIVER_GRACE_SECONDS)

    def _dead_threads(self) -> Iterator[str]:
        parts: Sequence[tuple[str, IngestPipeline | RetentionRunner | QueryServer | None]] = (
            ("ingest pipeline", self._pipeline),
            ("retention", self._retention),
            ("query server", self._query),
        )
        return (name for name, part in parts if part is not None and not part.is_alive)
