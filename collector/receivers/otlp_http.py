"""The OTLP/HTTP receiver."""

from concurrent.futures import ThreadPoolExecutor

import structlog

from collector.pipeline.api import Ingest
from collector.receivers.auth import Anyone, Authenticator
from collector.receivers.http_app import HttpApp
from collector.receivers.http_server import HttpServer
from collector.receivers.settings import HttpSettings
from collector.receivers.tls_files import TlsFiles

_WORKERS = 2  # they take turns with the loop's thread, so that large JSON bodies do not hold up small requests
_log = structlog.get_logger(__name__)


class OtlpHttpReceiver:
    """Serves the export paths on a thread of its own. `start` and `close` once."""

    def __init__(self, settings: HttpSettings, ingest: Ingest, auth: Authenticator | None = None) -> None:
        self._settings = settings
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="baton-otlp-http-worker")
        self._app = HttpApp(settings, ingest, auth or Anyone(), self._workers)
        self._server = HttpServer(settings, self._app)

    @property
    def port(self) -> int:
        """The port it listens on, 0 before `start`."""
        return self._server.port

    @property
    def tls(self) -> TlsFiles | None:
        """Its TLS files, None before `start` and for plain text."""
        return self._server.tls

    def start(self) -> None:
        """Listen. Raises: ListenError when the address cannot be had or a TLS file cannot be used."""
        self._server.start()
        _log.info("receiver_started", receiver="otlp/http", host=self._settings.host, port=self.port)

    def drain(self) -> None:
        """Answer 503 and `Connection: close` to new requests; requests under way go on."""
        self._app.is_draining = True

    def close(self, grace_seconds: float = 5.0) -> None:
        """Stop listening and wait for requests under way, at most `grace_seconds`. Idempotent."""
        self.drain()
        self._server.close(grace_seconds)
        self._workers.shutdown(cancel_futures=True)
