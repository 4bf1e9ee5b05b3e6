"""Serves an ASGI app on a thread of its own."""

import socket
import threading
from collections.abc import Sequence
from functools import partial

import uvicorn
from fastapi import FastAPI

from collector.http_limits import limited_protocol
from collector.query.error_answers import before_the_body
from collector.query.websocket import WebSocketProtocol

_HEADER_SECONDS = 10.0


class QueryServer:
    """uvicorn on uvloop and httptools. `start` once, `close` once."""

    def __init__(
        self,
        app: FastAPI,
        sockets: Sequence[socket.socket],
        stopping: threading.Event,
        drain_seconds: int = 5,
        base_path: str = "",
    ) -> None:
        """Take over listening sockets, all on one port; `close` closes them.

        `stopping` and `base_path` are those of the app's `QueryDependencies`; the event is set on close, so that open
        streams end.
        """
        self._stopping = stopping
        self._drain_seconds = drain_seconds
        self._sockets = list(sockets)
        config = uvicorn.Config(
            app,
            loop="uvloop",
            http=limited_protocol(_HEADER_SECONDS, partial(before_the_body, base=base_path.rstrip("/"))),
            ws=WebSocketProtocol,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=75,  # longer than proxies keep theirs, which take a closed one for a failure
            timeout_graceful_shutdown=drain_seconds,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=(self._sockets,), name="baton-query")

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._sockets[0].getsockname()[1])

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start serving; connections wait from the moment the sockets listen."""
        self._thread.start()

    def close(self) -> None:
        """Finish running requests, for `drain_seconds` at most, and stop. Idempotent."""
        self._stopping.set()
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(self._drain_seconds + 5)
        for listening in self._sockets:
            listening.close()
