"""The composition root: starts every part in order, and ends them in the order that loses nothing."""

import contextlib
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from collector import settings
from collector.answering import Answering
from collector.config.model import Config
from collector.config.receivers import OtlpReceiver
from collector.config.receivers import ZipkinReceiver as Zipkin
from collector.config.references import endpoints
from collector.config.values import Address
from collector.loop_thread import LoopThread
from collector.metrics import Metrics
from collector.pipeline.api import Ingest
from collector.receivers.errors import ListenError
from collector.receivers.listening import check_free
from collector.receivers.otlp_grpc import OtlpGrpcReceiver
from collector.receivers.otlp_http import OtlpHttpReceiver
from collector.receivers.tls_files import TlsFiles
from collector.receivers.tls_metrics import CertificateCollector
from collector.receivers.zipkin import ZipkinReceiver
from collector.state import ServiceState
from collector.storing import Storing

VERSION = version("baton-collector")
RECEIVER_GRACE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Listening:
    """Where a started service listens; the ports are the real ones."""

    otlp_grpc: tuple[Address, ...] = ()
    otlp_http: tuple[Address, ...] = ()
    query: Address | None = None
    jaeger_grpc: Address | None = None
    zipkin: tuple[Address, ...] = ()


class Service:
    """A whole Baton. `start` once; `close` ends it, also after a `start` that failed.

    Install signal handlers after `start`: the engine installs its own when it opens.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._undo = contextlib.ExitStack()
        self._starting, self._draining = True, False
        self._storing: Storing | None = None
        self._answering: Answering | None = None
        self._receivers: list[OtlpGrpcReceiver | OtlpHttpReceiver | ZipkinReceiver] = []
        self._tls: dict[str, TlsFiles] = {}

    def start(self) -> Listening:
        """Start every part, receivers last: what is accepted has somewhere to go.

        Raises: ListenError, JournalLocked, StorageUnavailable, StorageRejected, UiError, OSError, ValueError; nothing
        runs then.
        """
        try:
            listening = self._start()
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
        if self._storing is None:
            return ServiceState(starting=self._starting, draining=self._draining)
        state = self._storing.state(self._starting, self._draining)
        if self._answering is None or self._draining:
            return state
        return replace(state, dead_threads=(*state.dead_threads, *self._answering.dead_threads()))

    def _start(self) -> Listening:
        _check_addresses(self._config)
        _make_folder(self._config.service.data_dir)
        metrics = Metrics(VERSION)
        self._storing = storing = Storing(self._config, metrics)
        self._undo.callback(storing.close)
        metrics.watch(self.state, storing.ledger.snapshot)
        metrics.registry.register(CertificateCollector(self._tls.copy))
        thread = self._undo.enter_context(LoopThread("baton-grpc"))
        self._answering = answering = Answering(self._config, storing, thread, metrics, self.state, VERSION)
        self._undo.callback(answering.close)
        self._undo.callback(storing.pipeline.close)  # the ledger can be read until everything is stored
        self._undo.callback(self._close_receivers)
        otlp_grpc, otlp_http = self._start_receivers(storing.pipeline, thread)
        zipkin = self._start_zipkin(storing.pipeline)
        return Listening(otlp_grpc, otlp_http, answering.query, answering.jaeger_grpc, zipkin)

    def _start_receivers(self, pipeline: Ingest, thread: LoopThread) -> tuple[tuple[Address, ...], tuple[Address, ...]]:
        written = settings.receivers(self._config)
        protocols = [
            (each.protocols, settings.untaken(self._config, name))
            for name, each in written.items()
            if isinstance(each, OtlpReceiver)
        ]
        grpc = [
            (each, OtlpGrpcReceiver(settings.grpc(each, untaken), pipeline, thread, settings.authenticator(each.auth)))
            for each, untaken in ((transports.grpc, untaken) for transports, untaken in protocols)
            if each is not None
        ]
        http = [
            (each, OtlpHttpReceiver(settings.http(each, untaken), pipeline, settings.authenticator(each.auth)))
            for each, untaken in ((transports.http, untaken) for transports, untaken in protocols)
            if each is not None
        ]
        return (
            tuple(self._started(receiver, each.endpoint.host) for each, receiver in grpc),
            tuple(self._started(receiver, each.endpoint.host) for each, receiver in http),
        )

    def _start_zipkin(self, pipeline: Ingest) -> tuple[Address, ...]:
        receivers = [
            (written, ZipkinReceiver(settings.zipkin(written), pipeline, settings.authenticator(written.auth)))
            for written in settings.receivers(self._config).values()
            if isinstance(written, Zipkin)
        ]
        return tuple(self._started(receiver, written.endpoint.host) for written, receiver in receivers)

    def _started(self, receiver: OtlpGrpcReceiver | OtlpHttpReceiver | ZipkinReceiver, host: str) -> Address:
        receiver.start()
        self._receivers.append(receiver)
        address = Address(host, receiver.port)
        if receiver.tls is not None:
            self._tls[str(address)] = receiver.tls
        return address

    def _close_receivers(self) -> None:
        for receiver in self._receivers:
            receiver.drain()
        for receiver in self._receivers:
            receiver.close(RECEIVER_GRACE_SECONDS)


def _check_addresses(config: Config) -> None:
    """Say which addresses are taken, all at once, before an engine is loaded for nothing. Raises: ListenError."""
    taken = []
    for path, address in endpoints(config):
        try:
            check_free(address.host, address.port)
        except ListenError as error:
            taken.append(f"{error} ({path})")
    if taken:
        raise ListenError(f"{'; '.join(taken)}; --set KEY=HOST:PORT names another address")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"cannot make the data folder {folder.absolute()}: {error.strerror}; --data-dir names another"
        raise OSError(message) from error
