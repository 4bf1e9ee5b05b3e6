"""Closes a connection whose client is still sending, so that the client sees the answer."""

import asyncio
from collections.abc import Callable
from typing import Any

_QUIET_SECONDS = 2.0
_MAX_SECONDS = 30.0


class LingeringTransport:
    """A transport that is closed in two steps while a request is not read to its end.

    To close a socket with unread data resets the connection, and the client loses what it was told (a 413, a 401).
    So `close` ends the sending only. What still comes is to be thrown away, with `discarded` for each piece, until the
    client ends its side, sends nothing for 2 s, or 30 s are over.
    """

    def __init__(self, transport: asyncio.Transport, is_reading: Callable[[], bool]) -> None:
        """Wrap `transport`; `is_reading` tells whether some of a request is still to come."""
        self.is_lingering = False
        self._transport = transport
        self._is_reading = is_reading
        self._loop = asyncio.get_running_loop()
        self._until = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Whether nothing can be sent any more."""
        return self.is_lingering or self._transport.is_closing()

    def write(self, data: bytes) -> None:
        """Send, unless the last answer was sent."""
        if not self.is_lingering:
            self._transport.write(data)

    def close(self) -> None:
        """Send what is written, and close once the client has had the time to read it."""
        if self.is_lingering:
            return
        if self._transport.is_closing() or not self._is_reading():
            self._transport.close()
            return
        self.is_lingering = True
        self._until = self._loop.time() + _MAX_SECONDS
        if self._transport.can_write_eof():  # not with TLS; the answer's length tells the client its end
            self._transport.write_eof()
        self._transport.resume_reading()
        self.discarded()

    def close_now(self) -> None:
        """Close without waiting for the client."""
        self.stop_waiting()
        self._transport.close()

    def discarded(self) -> None:
        """Wait for more from the client, for a while."""
        self.stop_waiting()
        left = self._until - self._loop.time()
        self._timer = self._loop.call_later(min(left, _QUIET_SECONDS), self._transport.close)

    def stop_waiting(self) -> None:
        """Forget the end that `close` has set."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
