"""Live tail over a WebSocket."""

import asyncio
import threading
import time
from typing import Any

import orjson
import pyarrow as pa
import structlog
from fastapi import WebSocket
from starlette.concurrency import run_in_threadpool
from starlette.websockets import WebSocketDisconnect

from collector.query.log_tail import LogTail
from collector.query.loki.answers import plain_streams
from collector.query.loki.entries import Entry, entries
from collector.query.loki.plan import Plan
from storage.api import Storage
from storage.errors import StorageRejected, StorageUnavailable

_POLL_SECONDS = 0.5
_log = structlog.get_logger(__name__)


class Tails:
    """The open live tails; lives on the event loop."""

    def __init__(self, storage: Storage, stopping: threading.Event, most: int) -> None:
        self._storage = storage
        self._stopping = stopping
        self._most = most
        self._open = 0

    async def serve(self, socket: WebSocket, wanted: Plan, start: int | None) -> None:
        """Follow a selection until the client or the server ends it."""
        if self._open >= self._most:
            await socket.close(1013, f"{self._open} live tails are open")
            return
        self._open += 1
        try:
            await socket.accept()
            await self._follow(socket, wanted, start)
        finally:
            self._open -= 1

    async def _follow(self, socket: WebSocket, wanted: Plan, start: int | None) -> None:
        gone = asyncio.ensure_future(_disconnected(socket))
        try:
            tail = LogTail(self._storage, wanted.query, start, lambda records: _rows(records, wanted))
            while not gone.done() and not self._stopping.is_set():
                await self._send(socket, tail)
                await asyncio.wait([gone], timeout=_POLL_SECONDS)
            if not gone.done():
                await socket.close(1001)
        except WebSocketDisconnect:
            pass  # between two polls: nothing is lost
        finally:
            gone.cancel()

    async def _send(self, socket: WebSocket, tail: LogTail) -> None:
        try:
            news = await run_in_threadpool(tail.poll, time.time_ns())
        except (StorageUnavailable, StorageRejected) as error:
            _log.warning("tail_poll_failed", error=type(error).__name__)  # the next poll makes up for it
            return
        if news.rows:
            found = [Entry(row["time_unix_nano"], row["line"], row["labels"], {}, {}) for row in news.rows]
            message = {"streams": plain_streams(found), "dropped_entries": None}
            await socket.send_text(orjson.dumps(message).decode())


def _rows(records: pa.Table, wanted: Plan) -> list[dict[str, Any]]:
    return [
        {"time_unix_nano": entry.time_unix_nano, "line": entry.line, "labels": entry.labels}
        for entry in entries(records, wanted)
    ]


async def _disconnected(socket: WebSocket) -> None:
    """Return when the client has gone; what it sends is ignored."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
