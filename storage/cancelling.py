"""Ends the reads of a caller who has gone away: who notices calls `Cancellation.cancel`, engines say how to stop.

The cancellation travels in the context (`contextvars`), so it covers whatever a request makes of the port's methods,
also on the worker threads that copy its context. Writes, and what is read for them, are never covered.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar

from storage.errors import QueryCancelled, StorageRejected, StorageUnavailable

_AGAIN_SECONDS = 0.5  # a query that was only about to begin did not hear the first call

_covering: ContextVar["Cancellation | None"] = ContextVar("covering", default=None)


class Cancellation:
    """The reads of one caller. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running: list[Callable[[], None]] = []
        self._is_cancelled = False

    @contextlib.contextmanager
    def covering(self) -> Iterator[None]:
        """Cover the reads made within the block."""
        before = _covering.set(self)
        try:
            yield
        finally:
            _covering.reset(before)

    def cancel(self) -> None:
        """Refuse further reads and stop those that run; returns when none runs any more. Raises nothing."""
        with self._changed:
            self._is_cancelled = True
            while self._running:
                for stop in self._running:
                    with contextlib.suppress(StorageUnavailable, StorageRejected):  # the time limit stops it, too
                        stop()
                self._changed.wait(_AGAIN_SECONDS)

    @contextlib.contextmanager
    def stoppable(self, stop: Callable[[], None]) -> Iterator[None]:
        """See `stoppable`."""
        with self._changed:
            self._refuse_when_cancelled()
            self._running.append(stop)
        try:
            yield
        except Exception as error:
            self._refuse_when_cancelled(error)
            raise
        else:
            self._refuse_when_cancelled()
        finally:
            with self._changed:  # waits for a stop under way: it must not hit what comes next
                self._running.remove(stop)
                self._changed.notify_all()

    def _refuse_when_cancelled(self, cause: Exception | None = None) -> None:
        if self._is_cancelled:
            raise QueryCancelled("nobody waits for the answer any more") from cause


def is_covered() -> bool:
    """Tell whether somebody may cancel the reads made here."""
    return _covering.get() is not None


@contextlib.contextmanager
def stoppable(stop: Callable[[], None]) -> Iterator[None]:
    """Run a read that `stop` ends. For engines.

    `stop` is called on another thread, any number of times, and only while the block runs; it may raise the port's
    errors. Raises: QueryCancelled when the caller has gone away: at once, or at the end of the block, however it ended.
    """
    covering = _covering.get()
    with covering.stoppable(stop) if covering is not None else contextlib.nullcontext():
        yield
