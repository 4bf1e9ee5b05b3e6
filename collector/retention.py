"""Drops what is over age or over the disk cap, once a minute."""

import threading
import time

import structlog

from collector.logging import described
from storage.api import RetentionPolicy, Storage
from storage.errors import StorageRejected, StorageUnavailable

_log = structlog.get_logger(__name__)
PERIOD_SECONDS = 60.0


class RetentionRunner:
    """A thread that enforces a policy. `start` once, `close` once."""

    def __init__(self, storage: Storage, policy: RetentionPolicy, period_seconds: float = PERIOD_SECONDS) -> None:
        self._storage = storage
        self._policy = policy
        self._period_seconds = period_seconds
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="baton-retention")

    def start(self) -> None:
        """Start the thread; the first look is at once."""
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Tell whether the thread runs."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Stop after what runs now. Idempotent."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()

    def _loop(self) -> None:
        while True:
            self._enforce()
            if self._closing.wait(self._period_seconds):
                return

    def _enforce(self) -> None:
        try:
            dropped = self._storage.enforce_retention(self._policy, time.time_ns())
        except (StorageUnavailable, StorageRejected) as error:
            # The next round tries again; only the disk cap is late meanwhile.
            _log.warning("retention_failed", **described(error))
            return
        if dropped:
            _log.info("retention_dropped", partitions=dropped)
