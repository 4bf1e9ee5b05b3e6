"""The loss ledger: received = stored + rejected (by reason) + pending, for each signal, at any moment.

The four figures are counted where the thing happens, never derived from one another, so that the equation says
something. `received` counts the items of every request that got or will get an answer other than "send it again";
refused requests are counted apart. Totals survive restarts: they are saved with each stored segment and at the end;
what was pending is counted again from the journal.
"""

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any

from storage.queries import Signal

DUPLICATE = "duplicate"


class Ledger:
    """Counts items. Thread-safe; every method is one consistent step."""

    def __init__(self, saved: Mapping[str, Any] | None = None) -> None:
        """Start from what `state` returned in an earlier process."""
        saved = saved or {}
        self._mutex = threading.Lock()
        self._received: Counter[Signal] = Counter()
        self._stored: Counter[Signal] = Counter()
        self._pending: Counter[Signal] = Counter()
        self._refused: Counter[Signal] = Counter()
        self._rejected: dict[Signal, Counter[str]] = {signal: Counter() for signal in Signal}
        self._undecodable: dict[Signal, Counter[str]] = {signal: Counter() for signal in Signal}
        for signal in Signal:
            state = saved.get(signal.value, {})
            self._stored[signal] = state.get("stored", 0)
            self._rejected[signal].update(state.get("rejected", {}))
            self._undecodable[signal].update(state.get("undecodable_requests", {}))
            self._refused[signal] = state.get("refused", 0)
            self._received[signal] = state.get("received", 0)

    def recovered(self, items: Mapping[Signal, int]) -> None:
        """Count what the journal of an earlier process still holds."""
        with self._mutex:
            for signal, count in items.items():
                self._received[signal] += count
                self._pending[signal] += count

    def received(self, signal: Signal, items: int, rejected: Mapping[str, int]) -> None:
        """Count a decoded request: its items, and how many of them are rejected for which reason."""
        with self._mutex:
            self._received[signal] += items
            self._rejected[signal].update(rejected)
            self._pending[signal] += items - sum(rejected.values())

    def refused(self, signal: Signal, items: int) -> None:
        """Take back items that were pending and are now to be sent again by the client."""
        with self._mutex:
            self._received[signal] -= items
            self._pending[signal] -= items
            self._refused[signal] += items

    def duplicate(self, signal: Signal, items: int) -> None:
        """Count pending items that are a bit-for-bit repeat of a request which is already on disk."""
        with self._mutex:
            self._pending[signal] -= items
            self._rejected[signal][DUPLICATE] += items

    def undecodable(self, signal: Signal, reason: str) -> None:
        """Count a request whose items cannot even be counted."""
        with self._mutex:
            self._undecodable[signal][reason] += 1

    def stored(self, segment_items: Mapping[Signal, int], written: Mapping[Signal, int]) -> None:
        """Count a stored segment: what the journal says it held, and the rows that storage took."""
        with self._mutex:
            for signal in Signal:
                self._pending[signal] -= segment_items.get(signal, 0)
                self._stored[signal] += written.get(signal, 0)

    def snapshot(self) -> dict[str, Any]:
        """Return, per signal: received, stored, rejected {reason: n}, pending, refused, undecodable_requests."""
        with self._mutex:
            return {signal.value: {**self._totals(signal), "pending": self._pending[signal]} for signal in Signal}

    def state(self) -> dict[str, Any]:
        """Return the totals to save: everything but what is pending, which the journal itself remembers."""
        with self._mutex:
            totals = {signal.value: self._totals(signal) for signal in Signal}
            for signal in Signal:
                totals[signal.value]["received"] -= self._pending[signal]
            return totals

    def _totals(self, signal: Signal) -> dict[str, Any]:
        return {
            "received": self._received[signal],
            "stored": self._stored[signal],
            "rejected": {reason: count for reason, count in self._rejected[signal].items() if count},
            "refused": self._refused[signal],
            "undecodable_requests": dict(self._undecodable[signal]),
        }
