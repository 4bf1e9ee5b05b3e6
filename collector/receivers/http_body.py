"""Reads request bodies within limits: size before and after decompression, time, and memory of all together."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from collector.errors import Refused, TooLarge
from collector.receivers.http_coding import Decoder

Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]


class Disconnected(Exception):
    """The client went away before its request was complete; there is nobody to answer."""


class ReceivingMemory:
    """Counts the bytes of bodies that arrive or wait to be converted. Used on one event loop."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0

    def take(self, count: int) -> None:
        """Note bytes that arrived. Raises: Refused when there would be too many."""
        if self._bytes + count > self._max_bytes:
            raise Refused(f"{self._bytes} bytes of requests are being received, at most {self._max_bytes} may")
        self._bytes += count

    def give_back(self, count: int) -> None:
        """Note that bytes are no longer held here."""
        self._bytes -= count


class BodyReader:
    """Reads and inflates bodies of at most `max_bytes`, before and after, within `seconds` each."""

    def __init__(self, max_bytes: int, max_receiving_bytes: int, seconds: float) -> None:
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._memory = ReceivingMemory(max_receiving_bytes)

    def check_declared(self, content_length: str | None) -> None:
        """Raise TooLarge when the Content-Length alone says so."""
        if content_length is not None and int(content_length) > self._max_bytes:
            raise self._too_large()

    @asynccontextmanager
    async def reading(self, receive: Receive, decoder: Decoder) -> AsyncIterator[bytes]:
        """Yield a whole body, which counts as memory until the block ends. Nothing is inflated beyond the limit.

        Raises: TooLarge, Rejected "malformed", Refused (too slow, too much at once), Disconnected.
        """
        pieces: list[bytes] = []
        try:
            try:
                async with asyncio.timeout(self._seconds):
                    await self._collect(receive, decoder, pieces)
            except TimeoutError:
                raise Refused(f"the body did not arrive within {self._seconds:g} s") from None
            pieces[:] = [b"".join(pieces)]
            yield pieces[0]
        finally:
            self._memory.give_back(sum(map(len, pieces)))

    async def _collect(self, receive: Receive, decoder: Decoder, pieces: list[bytes]) -> None:
        raw = size = 0
        more = True
        while more:
            event = await receive()
            if event["type"] == "http.disconnect":
                raise Disconnected
            data = event.get("body", b"")
            more = event.get("more_body", False)
            raw += len(data)
            if raw > self._max_bytes:
                raise self._too_large()
            for number, piece in enumerate(decoder.feed(data)):
                if number:
                    await asyncio.sleep(0)  # let small requests go between the pieces of a large one
                size += len(piece)
                if size > self._max_bytes:
                    raise self._too_large()
                self._memory.take(len(piece))
                pieces.append(piece)
        decoder.finish()

    def _too_large(self) -> TooLarge:
        return TooLarge(f"the body is larger than {self._max_bytes} bytes, before or after decompression")
