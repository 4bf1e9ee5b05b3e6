"""A bound on the processor time that a block of code takes; the clock runs on while others have the CPU."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_AGAIN_SECONDS = 1.0  # an exception that something swallows (a destructor) is raised again after so long


class TookTooLong(Exception):
    """The block took more processor time than it may."""


@contextmanager
def at_most(cpu_seconds: float) -> Iterator[None]:
    """Raise TookTooLong in the block once it used so much. For the main thread of a process; not to be nested."""
    before = signal.signal(signal.SIGPROF, _raise)
    signal.setitimer(signal.ITIMER_PROF, cpu_seconds, _AGAIN_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _raise(_: int, __: FrameType | None) -> None:
    raise TookTooLong
