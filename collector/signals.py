"""Waiting for the signal to stop: the first one asks, the second one insists."""

import contextlib
import os
import queue
import signal
import time
from types import FrameType

import structlog

_log = structlog.get_logger(__name__)
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
# A supervisor that signals the process and then its group (timeout, make) means it once.
_SAME_REQUEST_SECONDS = 0.5
# A stopped process (Ctrl-Z, SIGSTOP) that goes on takes its signal on any thread, which does not wake the main one.
_LOOK_SECONDS = 0.5


class StopSignal:
    """SIGTERM and SIGINT of this process. Make it on the main thread, after the engine opened."""

    def __init__(self) -> None:
        # a SimpleQueue, because its `put` may interrupt its own `get`
        self._received: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._asked_at: float | None = None
        for number in _SIGNALS:
            signal.signal(number, self._on_signal)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)  # the engine may have left them blocked

    def wait(self) -> str:
        """Return the name of the first signal."""
        while True:
            with contextlib.suppress(queue.Empty):
                return signal.Signals(self._received.get(timeout=_LOOK_SECONDS)).name

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        now = time.monotonic()
        if self._asked_at is None:
            self._asked_at = now
            self._received.put(number)
        elif now - self._asked_at > _SAME_REQUEST_SECONDS:
            # What was acknowledged is in the journal and will be stored after the next start.
            os._exit(128 + number)
