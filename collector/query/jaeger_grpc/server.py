"""The gRPC server on 16685: Jaeger's query services, remote storage, health and reflection on one port."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import grpc
import grpc.aio
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from collector.grpc_limits import MIN_PING_INTERVAL_SECONDS, connection_options
from collector.loop_thread import LoopThread
from collector.query.dependencies import Authorizer
from collector.query.jaeger_grpc.api_v2 import ApiV2
from collector.query.jaeger_grpc.api_v3 import ApiV3
from collector.query.jaeger_grpc.calls import QueryCalls
from collector.query.jaeger_grpc.storage_v2 import StorageV2
from exporters.jaeger.generated import api_v2_pb2, api_v3_pb2, storage_v2_pb2
from exporters.jaeger.transfers import FindTransfers
from storage.api import Storage

_log = structlog.get_logger(__name__)

_V2 = api_v2_pb2.DESCRIPTOR.services_by_name["QueryService"]
_V3 = api_v3_pb2.DESCRIPTOR.services_by_name["QueryService"]
_STORAGE = storage_v2_pb2.DESCRIPTOR.services_by_name
_EXPORT = "opentelemetry.proto.collector.trace.v1.TraceService"
# Names that Jaeger announces without serving a method under them: clients ask the health service for them.
_ANNOUNCED = ("jaeger.api_v2.metrics.MetricsQueryService",)
_ANNOUNCED_WITH_WRITES = ("jaeger.storage.v2.TraceWriter", _EXPORT)


@dataclass(frozen=True, slots=True)
class JaegerGrpcSettings:
    """Settings of the server. `max_request_bytes` bounds what is written through the port, too."""

    host: str = "localhost"
    port: int = 16685  # 0: any free port
    threads: int = 8  # calls that read from the store at the same time; more wait
    max_request_bytes: int = 64 * 2**20
    min_ping_interval_seconds: float = MIN_PING_INTERVAL_SECONDS
    max_clock_skew_ns: int = 0  # see `exporters.jaeger.adjust`
    credentials: grpc.ServerCredentials | None = None


class JaegerGrpcServer:
    """Serves on a running loop. `start` once, `close` once.

    `exports` makes the handler of OTLP's Export calls, on the server's event loop; without it nothing can be written
    through this port.
    """

    def __init__(
        self,
        settings: JaegerGrpcSettings,
        storage: Storage,
        thread: LoopThread,
        exports: Callable[[], grpc.GenericRpcHandler] | None = None,
        authorize: Authorizer | None = None,
        transfers: FindTransfers | None = None,
    ) -> None:
        """Prepare to serve; `transfers` as in `ApiV2`."""
        self._settings = settings
        self._storage = storage
        self._thread = thread
        self._exports = exports
        self._authorize = authorize
        self._transfers = transfers
        self._port = 0
        self._executor = ThreadPoolExecutor(settings.threads, "baton-jaeger-call")
        self._health: health.aio.HealthServicer | None = None
        self._server: grpc.aio.Server | None = None

    @property
    def port(self) -> int:
        """The port it listens on, 0 before `start`."""
        return self._port

    @property
    def is_alive(self) -> bool:
        """Whether it serves."""
        return self._server is not None and self._thread.is_alive

    def start(self) -> None:
        """Listen. Raises: OSError when the address cannot be had."""
        self._port = self._thread.call(self._start())
        _log.info("jaeger_grpc_started", host=self._settings.host, port=self._port)

    def close(self, grace_seconds: float = 5.0) -> None:
        """Answer NOT_SERVING, end calls under way after `grace_seconds` at most, and stop. Idempotent."""
        if self._server is not None and self._health is not None:
            self._thread.call(self._health.enter_graceful_shutdown())
            self._thread.call(self._server.stop(grace_seconds))
            self._server = None
        self._executor.shutdown()

    async def _start(self) -> int:
        settings, servicer = self._settings, health.aio.HealthServicer()
        options = connection_options(settings.max_request_bytes, settings.min_ping_interval_seconds)
        server = grpc.aio.server(options=options)
        server.add_generic_rpc_handlers(self._handlers(self._executor))
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
        names = self._names()
        for name in ("", *names):
            await servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
        reflection.enable_server_reflection(_reflected(names), server)
        port = _bind(server, settings)
        await server.start()
        self._server, self._health = server, servicer
        return port

    def _handlers(self, executor: ThreadPoolExecutor) -> Sequence[grpc.GenericRpcHandler]:
        remote = StorageV2(self._storage)
        calls = QueryCalls(executor, self._authorize)
        calls.add(_V2, ApiV2(self._storage, self._settings.max_clock_skew_ns, self._transfers).methods())
        calls.add(_V3, ApiV3(self._storage, self._settings.max_clock_skew_ns).methods())
        calls.add(_STORAGE["TraceReader"], remote.trace_reader())
        calls.add(_STORAGE["DependencyReader"], remote.dependency_reader())
        calls.add(_STORAGE["Capabilities"], remote.capabilities())
        return (calls,) if self._exports is None else (calls, self._exports())

    def _names(self) -> list[str]:
        served = [_V2.full_name, _V3.full_name, *(service.full_name for service in _STORAGE.values()), *_ANNOUNCED]
        return served if self._exports is None else [*served, *_ANNOUNCED_WITH_WRITES]


def _reflected(names: Sequence[str]) -> Sequence[str]:
    """Return the names that have a descriptor, health and reflection included."""
    described = [name for name in names if name not in _ANNOUNCED and not name.endswith(".TraceWriter")]
    return (*described, health.SERVICE_NAME, reflection.SERVICE_NAME)


def _bind(server: grpc.aio.Server, settings: JaegerGrpcSettings) -> int:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"{host}:{settings.port}"
    try:
        if settings.credentials is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, settings.credentials)
    except RuntimeError as error:
        raise OSError(f"cannot listen on {address}: {error}") from error
