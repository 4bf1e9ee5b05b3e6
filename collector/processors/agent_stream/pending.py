"""Which traces and which minutes of traceless records wait to be looked at. Bounded, whatever arrives."""

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Pending(Generic[Key]):
    """Keys with the time of their last change. Thread-safe.

    A key that does not fit is left out; `overflowed_at` then says from which batch on storage has to be asked again.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._seen: OrderedDict[Key, tuple[float, int]] = OrderedDict()  # last change (monotonic), first batch
        self._mutex = threading.Lock()
        self._overflowed_at: int | None = None

    def restore(self, keys: Iterable[tuple[Key, int]]) -> None:
        """Add keys that storage remembered, with their batch times; quiet already. May go over the capacity."""
        with self._mutex:
            for key, batch in keys:
                if key not in self._seen:
                    self._seen[key] = (0.0, batch)
                    self._seen.move_to_end(key, last=False)

    def touch(self, keys: Iterable[Key], batch_time_unix_nano: int) -> None:
        """Note that something was stored for the keys; their quiet time starts again."""
        now = time.monotonic()
        with self._mutex:
            for key in keys:
                before = self._seen.pop(key, None)
                if before is None and len(self._seen) >= self._capacity:
                    self._overflowed_at = min(self._overflowed_at or batch_time_unix_nano, batch_time_unix_nano)
                    continue
                self._seen[key] = (now, before[1] if before else batch_time_unix_nano)

    def take_quiet(self, quiet_seconds: float, limit: int) -> list[tuple[Key, int]]:
        """Remove and return up to `limit` keys that did not change for a while, with their first batch."""
        latest = time.monotonic() - quiet_seconds
        taken: list[tuple[Key, int]] = []
        with self._mutex:
            while self._seen and len(taken) < limit:
                key, (changed, first_batch) = next(iter(self._seen.items()))
                if changed > latest:
                    break
                del self._seen[key]
                taken.append((key, first_batch))
        return taken

    def take_overflow(self) -> int | None:
        """Return the batch time to ask storage again from; None when nothing was left out."""
        with self._mutex:
            overflowed, self._overflowed_at = self._overflowed_at, None
            return overflowed

    @property
    def has_room(self) -> bool:
        """Tell whether at least half of the capacity is free."""
        return len(self._seen) <= self._capacity // 2

    def oldest_batch(self) -> int | None:
        """Return the earliest batch that still has something pending; None when there is nothing."""
        with self._mutex:
            batches = [first_batch for _, first_batch in self._seen.values()]
            if self._overflowed_at is not None:
                batches.append(self._overflowed_at)
            return min(batches, default=None)

    def clear(self) -> None:
        """Forget everything."""
        with self._mutex:
            self._seen.clear()
            self._overflowed_at = None

    def __len__(self) -> int:
        return len(self._seen)
