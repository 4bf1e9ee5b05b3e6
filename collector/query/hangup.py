"""Notices clients that hang up before they are answered, and ends the reads that run for them alone."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import anyio
import anyio.to_thread
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope

from storage.cancelling import Cancellation

_PATIENCE_SECONDS = 0.1  # what is answered sooner is not worth watching: a task more for each request
_CANCELLING = 4  # threads of their own: those for queries may all be waiting for answers nobody wants


class Hangups:
    """Lives on the event loop."""

    def __init__(self) -> None:
        self._threads: anyio.CapacityLimiter | None = None

    @contextlib.asynccontextmanager
    async def watching(self, scope: Scope, receive: Receive) -> AsyncIterator[Receive]:
        """End the reads made within the block when the client goes away; yields the `receive` to use instead.

        Only for requests that change nothing: of another one, half may be done.
        """
        if scope["method"] != "GET" or _has_body(scope):
            yield receive
            return
        self._threads = self._threads or anyio.CapacityLimiter(_CANCELLING)
        watch = _Watch(receive, Cancellation(), self._threads)
        timer = asyncio.get_running_loop().call_later(_PATIENCE_SECONDS, watch.begin)
        try:
            with watch.cancellation.covering():
                yield watch.receive
        finally:
            timer.cancel()
            watch.end()


class _Watch:
    """Reads what a client sends before the app does."""

    def __init__(self, receive: Receive, cancellation: Cancellation, threads: anyio.CapacityLimiter) -> None:
        self.cancellation = cancellation
        self._receive = receive
        self._threads = threads
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def receive(self) -> Message:
        """Return the next message; the last one again and again."""
        self.begin()
        message = await self._messages.get()
        if message["type"] == "http.disconnect":
            self._messages.put_nowait(message)
        return message

    def begin(self) -> None:
        """Watch from now on."""
        self._task = self._task or asyncio.ensure_future(self._watch())

    def end(self) -> None:
        """Watch no longer; a cancellation under way goes on."""
        if self._task is not None:
            self._task.cancel()

    async def _watch(self) -> None:
        message: Message = {"type": ""}
        while message["type"] != "http.disconnect":
            message = await self._receive()
            self._messages.put_nowait(message)
        await anyio.to_thread.run_sync(self.cancellation.cancel, limiter=self._threads, abandon_on_cancel=True)


def _has_body(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
