"""Brings the pipeline's answers into an event loop."""

import asyncio
from collections import deque
from concurrent.futures import Future
from functools import partial

from collector.errors import Refused
from collector.pipeline.api import Outcome

RETRY_AFTER_SECONDS = 1.0


class Answers:
    """Waits for futures that other threads resolve. Used from one loop's thread only.

    The pipeline resolves all requests of a group fsync at once: the loop is woken once for the group, not for each.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._settled: deque[asyncio.Future[None]] = deque()
        self._wake_up_is_due = False

    async def outcome(self, future: "Future[Outcome]", seconds: float) -> Outcome:
        """Return or raise what the future holds.

        Raises: Refused, retryable, when there is no answer in time; the items may be stored all the same, and a
        repeat of them is recognised.
        """
        if future.done():
            return future.result()
        waiter: asyncio.Future[None] = self._loop.create_future()
        timer = self._loop.call_later(seconds, _give_up, waiter, seconds)
        future.add_done_callback(partial(self._note, waiter))
        try:
            await waiter
        finally:
            timer.cancel()
        return future.result()

    def _note(self, waiter: asyncio.Future[None], _: "Future[Outcome]") -> None:
        """Note, on the pipeline's thread, that a future is resolved."""
        self._settled.append(waiter)
        if not self._wake_up_is_due:
            self._wake_up_is_due = True
            try:
                self._loop.call_soon_threadsafe(self._wake_up)
            except RuntimeError:  # the loop is closed: nobody waits any more
                self._settled.clear()

    def _wake_up(self) -> None:
        self._wake_up_is_due = False  # before the queue is emptied, so that no late entry is forgotten
        while self._settled:
            waiter = self._settled.popleft()
            if not waiter.done():
                waiter.set_result(None)


def _give_up(waiter: asyncio.Future[None], seconds: float) -> None:
    if not waiter.done():
        waiter.set_exception(Refused(f"the data is not on disk after {seconds:g} s", RETRY_AFTER_SECONDS))
