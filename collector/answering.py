"""Everything that answers questions: the HTTP app with its APIs and UI, and Jaeger's gRPC services."""

import contextlib
import threading
from collections.abc import Callable, Sequence

import grpc

from collector import settings
from collector.config.extensions import Admin, JaegerGrpc, Query
from collector.config.model import Config
from collector.config.references import endpoints
from collector.config.values import Address
from collector.loop_thread import LoopThread
from collector.metrics import Metrics
from collector.query.admin import admin_router
from collector.query.app import build_app
from collector.query.dependencies import QueryDependencies
from collector.query.jaeger.transfers import transfers_of
from collector.query.jaeger_grpc.server import JaegerGrpcServer
from collector.query.jaeger_http import jaeger_router
from collector.query.loki.router import loki_router
from collector.query.server import QueryServer
from collector.query.tempo.router import tempo_router
from collector.query.ui import UiSettings, mount_ui
from collector.receivers.answers import Answers
from collector.receivers.auth import Anyone
from collector.receivers.grpc_calls import ExportCalls
from collector.receivers.listening import open_sockets
from collector.receivers.settings import GrpcSettings
from collector.state import ServiceState
from collector.storing import Storing


class Answering:
    """Opened by its constructor, ended by `close`; what a failing constructor had opened is closed again.

    `query` and `jaeger_grpc` are where it listens, None when the extension does not run.
    """

    def __init__(
        self,
        config: Config,
        storing: Storing,
        grpc_thread: LoopThread,
        metrics: Metrics,
        state: Callable[[], ServiceState],
        version: str,
    ) -> None:
        """Start the servers. Raises: ListenError, UiError, OSError."""
        self._config, self._storing, self._metrics, self._state = config, storing, metrics, state
        self._grpc_thread, self._version = grpc_thread, version
        self._servers: list[tuple[str, QueryServer | JaegerGrpcServer]] = []
        with contextlib.ExitStack() as undo:
            self.query = self._start_query(undo)
            self.jaeger_grpc = self._start_jaeger_grpc(undo)
            self._undo = undo.pop_all()

    def close(self) -> None:
        """Finish running requests and stop. Idempotent."""
        self._undo.close()

    def dead_threads(self) -> Sequence[str]:
        """Return the names of servers that should run and do not."""
        return [name for name, server in self._servers if not server.is_alive]

    def _start_query(self, undo: contextlib.ExitStack) -> Address | None:
        written = settings.extension(self._config, "query")
        if not isinstance(written, Query):
            return None
        stopping = threading.Event()
        storage, skew = self._storing.storage, int(written.max_clock_skew_adjust.total_seconds() * 1e9)
        admin = settings.extension(self._config, "admin")
        may_purge = isinstance(admin, Admin) and admin.allow_purge
        app = build_app(
            QueryDependencies(
                storage=storage,
                ledger=self._storing.ledger,
                state=self._state,
                metrics=self._metrics,
                version=self._version,
                base_path=written.base_path,
                authorize=settings.authorizer(written.auth),
                routers=(
                    admin_router(self._storing.purge if may_purge else None),
                    jaeger_router(storage, transfers=transfers_of(storage), max_clock_skew_ns=skew),
                    tempo_router(storage),
                    loki_router(storage, stopping),
                ),
                stopping=stopping,
            )
        )
        lines = [(path.removesuffix(".endpoint"), str(address)) for path, address in endpoints(self._config)]
        mount_ui(app, UiSettings(written.ui_dir, written.ui_config_file, self._version, lines))
        sockets = open_sockets(written.endpoint.host, written.endpoint.port)
        server = QueryServer(app, sockets, stopping, base_path=written.base_path)
        undo.callback(server.close)
        server.start()
        self._servers.append(("query server", server))
        return Address(written.endpoint.host, server.port)

    def _start_jaeger_grpc(self, undo: contextlib.ExitStack) -> Address | None:
        written = settings.extension(self._config, "jaeger_grpc")
        if not isinstance(written, JaegerGrpc):
            return None
        exports = self._exports(written) if written.accept_writes else None
        authorize, listen = settings.authorizer(written.auth), settings.jaeger_grpc(written)
        storage, thread = self._storing.storage, self._grpc_thread
        server = JaegerGrpcServer(listen, storage, thread, exports, authorize, transfers_of(storage))
        undo.callback(server.close)
        server.start()
        self._servers.append(("Jaeger gRPC server", server))
        return Address(written.endpoint.host, server.port)

    def _exports(self, written: JaegerGrpc) -> Callable[[], grpc.GenericRpcHandler]:
        """Return what makes the handler of the writes of a Jaeger whose remote storage this is."""
        limits = GrpcSettings(max_request_bytes=written.max_recv_msg_size_mib << 20)
        auth = settings.authenticator(written.auth) or Anyone()
        return lambda: ExportCalls(limits, self._storing.pipeline, auth, Answers())
