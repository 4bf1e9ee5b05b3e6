"""Runs an ASGI application with uvicorn on a thread of its own."""

import asyncio
import socket
import ssl
from typing import Any, Self

import uvicorn

from collector.http_limits import limited_protocol
from collector.loop_thread import LoopThread
from collector.receivers.errors import ListenError
from collector.receivers.listening import BACKLOG, open_sockets
from collector.receivers.settings import HttpSettings
from collector.receivers.tls_files import TlsFiles

_POLL_SECONDS = 0.005


class HttpServer:
    """`start` once, `close` once."""

    def __init__(self, settings: HttpSettings, app: Any) -> None:
        self._settings = settings
        self._thread = LoopThread("baton-otlp-http")
        self._config = _config(settings, app)
        self._server = uvicorn.Server(self._config)
        self._tls: TlsFiles | None = None
        self._serving: asyncio.Future[None] | None = None
        self._sockets: list[socket.socket] = []

    @property
    def port(self) -> int:
        """The port it listens on, 0 before `start` and after `close`."""
        return int(self._sockets[0].getsockname()[1]) if self._sockets else 0

    @property
    def tls(self) -> TlsFiles | None:
        """Its TLS files, None before `start` and for plain text."""
        return self._tls

    def start(self) -> None:
        """Listen. Raises: ListenError when the address cannot be had or a TLS file cannot be used."""
        if self._settings.tls is not None:
            self._tls = files = TlsFiles(self._settings.tls)
            self._config.ssl_context_factory = lambda *_: _NewestContext(files)
        self._sockets = open_sockets(self._settings.host, self._settings.port)
        self._thread.start()
        self._thread.call(self._start())

    def close(self, grace_seconds: float) -> None:
        """Stop listening and wait for requests under way, at most `grace_seconds`. Idempotent."""
        if self._serving is not None:
            self._config.timeout_graceful_shutdown = max(1, round(grace_seconds))
            self._server.should_exit = True
            self._thread.call(self._finish())
            self._serving = None
        for opened in self._sockets:
            opened.close()
        self._sockets = []
        self._thread.stop()

    async def _start(self) -> None:
        self._serving = asyncio.ensure_future(self._server.serve(self._sockets))
        while not self._server.started:
            if self._serving.done():
                self._serving.result()
                raise ListenError("the HTTP server ended while it was starting")
            await asyncio.sleep(_POLL_SECONDS)

    async def _finish(self) -> None:
        if self._serving is not None:
            await self._serving


class _NewestContext(ssl.SSLContext):
    """Hands each new connection to the context of the newest files; a connection keeps the one it began with.

    A whole context, not a renewed certificate in the old one: that would go on trusting a CA that was taken away, and
    resume sessions of its clients.
    """

    def __new__(cls, _: TlsFiles) -> Self:
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)

    def __init__(self, files: TlsFiles) -> None:
        self._files = files

    def wrap_bio(self, *args: Any, **options: Any) -> ssl.SSLObject:
        """Begin a connection; event loops call this for each."""
        return self._files.current().context.wrap_bio(*args, **options)


def _config(settings: HttpSettings, app: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=limited_protocol(settings.header_seconds),
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=settings.keep_alive_seconds,
    )
