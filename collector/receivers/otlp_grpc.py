"""The OTLP/gRPC receiver.

The handlers take bytes: a generated stub would answer INTERNAL to one invalid UTF-8 string, and clients drop that. They
are registered as stream-unary, which is the same on the wire: so a call can be refused before its message is read and
decompressed, and a message that grpc stops at the size limit is still noticed.
"""

import grpc
import grpc.aio
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from collector.grpc_limits import connection_options
from collector.loop_thread import LoopThread
from collector.pipeline.api import Ingest
from collector.receivers.answers import Answers
from collector.receivers.auth import Anyone, Authenticator
from collector.receivers.errors import ListenError
from collector.receivers.grpc_calls import SERVICES, STORED_SERVICES, ExportCalls
from collector.receivers.listening import check_free
from collector.receivers.settings import GrpcSettings
from collector.receivers.tls_files import LoadedTls, TlsFiles

_log = structlog.get_logger(__name__)

_WINDOW_BYTES = 4 * 2**20  # a client may send so much ahead; grpc's own 64 KiB, widened by probing, costs round trips


class OtlpGrpcReceiver:
    """Serves Trace, Logs and Metrics Export and grpc.health.v1 on a running loop. `start` and `close` once."""

    def __init__(
        self, settings: GrpcSettings, ingest: Ingest, thread: LoopThread, auth: Authenticator | None = None
    ) -> None:
        self._settings = settings
        self._ingest = ingest
        self._auth = auth or Anyone()
        self._thread = thread
        self._health = health.aio.HealthServicer()
        self._server: grpc.aio.Server | None = None
        self._calls: ExportCalls | None = None
        self._port = 0
        self._tls: TlsFiles | None = None

    @property
    def port(self) -> int:
        """The port it listens on, 0 before `start`."""
        return self._port

    @property
    def tls(self) -> TlsFiles | None:
        """Its TLS files, None before `start` and for plain text."""
        return self._tls

    def start(self) -> None:
        """Listen. Raises: ListenError when the address cannot be had or a TLS file cannot be used."""
        settings = self._settings
        check_free(settings.host, settings.port)  # grpc itself does not tell why it could not bind
        if settings.tls is not None:
            self._tls = TlsFiles(settings.tls)  # grpc itself would start with files it cannot use
        credentials = _credentials(self._tls) if self._tls else None
        try:
            self._port = self._thread.call(self._start(credentials))
        except RuntimeError as error:
            self._calls = None
            raise ListenError(f"cannot listen on {settings.host}:{settings.port}: {error}") from error
        _log.info("receiver_started", receiver="otlp/grpc", host=settings.host, port=self._port)

    def drain(self) -> None:
        """Answer NOT_SERVING to health checks and UNAVAILABLE to new calls; calls under way go on."""
        if self._calls is not None:
            self._calls.is_draining = True
            self._thread.call(self._health.enter_graceful_shutdown())

    def close(self, grace_seconds: float = 5.0) -> None:
        """Stop listening and wait for calls under way, at most `grace_seconds`. Idempotent."""
        self.drain()
        if self._server is not None:
            self._thread.call(self._server.stop(grace_seconds))
            self._server = self._calls = None

    async def _start(self, credentials: grpc.ServerCredentials | None) -> int:
        settings = self._settings
        server = grpc.aio.server(options=_options(settings))
        self._calls = ExportCalls(settings, self._ingest, self._auth, Answers())
        server.add_generic_rpc_handlers((self._calls,))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        taken = [service for service in SERVICES if STORED_SERVICES.get(service) not in settings.untaken]
        for service in taken:
            await self._health.set(service, health_pb2.HealthCheckResponse.SERVING)
        if settings.reflection:
            names = (*taken, health.SERVICE_NAME, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, server)
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        address = f"{host}:{settings.port}"
        if credentials is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, credentials)
        await server.start()
        self._server = server
        return port


def _credentials(files: TlsFiles) -> grpc.ServerCredentials:
    """Return credentials that take up renewed files: grpc asks for them before each handshake."""
    served = files.current()

    def renewed() -> grpc.ServerCertificateConfiguration | None:
        nonlocal served
        newest = files.current()
        if newest is served:
            return None
        served = newest
        return _configuration(newest)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(served),
        renewed,  # type: ignore[arg-type]  # None is "no change", which the stubs do not know
        require_client_authentication=served.client_ca is not None,
    )


def _configuration(tls: LoadedTls) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(tls.key, tls.certificates)], tls.client_ca)


def _options(settings: GrpcSettings) -> list[tuple[str, int]]:
    options = [
        *connection_options(settings.max_request_bytes, settings.min_ping_interval_seconds),
        ("grpc.max_concurrent_streams", settings.max_concurrent_streams),
        ("grpc.http2.lookahead_bytes", _WINDOW_BYTES),
        ("grpc.http2.bdp_probe", 0),  # the window is wide from the start; a probe is a ping to answer for each request
    ]
    if settings.max_connection_age_seconds is not None:
        options.append(("grpc.max_connection_age_ms", int(settings.max_connection_age_seconds * 1000)))
    return options
