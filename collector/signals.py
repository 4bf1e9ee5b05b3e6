"""Waiting for the signal to stop: the first one asks, the second one insists."""

import os
import queue
import signal
from types import FrameType

import structlog

_log = structlog.get_logger(__name__)
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopSignal:
    """SIGTERM and SIGINT of this process. Make it on the main thread, after the engine opened."""

    def __init__(self) -> None:
        # a SimpleQueue, because its `put` may interrupt its own `get`
        self._received: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._asked = False
        for number in _SIGNALS:
            signal.signal(number, self._on_signal)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)  # the engine may have left them blocked

    def wait(self) -> str:
        """Return the name of the first signal."""
        return signal.Signals(self._received.get()).name

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        if self._asked:
            # What was acknowledged is in the journal and will be stored after the next start.
            os._exit(128 + number)
        self._asked = True
        self._received.put(number)
