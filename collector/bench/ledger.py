"""What the server says it has: read from its ledger and its statistics."""

import time
from dataclasses import dataclass
from typing import Any

from collector.bench.api import Api

_SETTLE_ROUNDS = 4


@dataclass(frozen=True, slots=True)
class Totals:
    """Items over both signals since the folder was new."""

    received: int
    stored: int
    rejected: int
    pending: int

    @property
    def balances(self) -> bool:
        """Tell whether received = stored + rejected + pending."""
        return self.received == self.stored + self.rejected + self.pending


def totals(api: Api) -> Totals:
    """Read the ledger."""
    signals: list[dict[str, Any]] = list(api.json("/api/v1/ledger").values())
    return Totals(
        received=sum(signal["received"] for signal in signals),
        stored=sum(signal["stored"] for signal in signals),
        rejected=sum(sum(signal["rejected"].values()) for signal in signals),
        pending=sum(signal["pending"] for signal in signals),
    )


def wait_until_stored(api: Api, items: int, patience_seconds: float = 300.0) -> float:
    """Return the monotonic time at which `items` items were stored. Raises TimeoutError."""
    deadline = time.monotonic() + patience_seconds
    while totals(api).stored < items:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{totals(api)}, expected {items} stored")
        time.sleep(0.02)
    return time.monotonic()


def settled_bytes(api: Api, patience_seconds: float = 90.0) -> int:
    """Wait until merges stop changing what is on disk, and return its bytes."""
    deadline = time.monotonic() + patience_seconds
    same, last = 0, -1
    while same < _SETTLE_ROUNDS and time.monotonic() < deadline:
        now = int(api.json("/api/v1/traces/stats/overview?last_hours=0.001")["storage"]["bytes_on_disk"])
        same, last = (same + 1, now) if now == last else (0, now)
        time.sleep(1.0)
    return last
