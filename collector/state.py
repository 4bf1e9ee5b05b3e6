"""What the running service knows about itself, for health, readiness and metrics."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServiceState:
    """A snapshot. Taking one must be cheap and must not touch the database.

    `dead_threads` names threads that should run and do not. `journal_error` says why the journal cannot be written
    now, and is empty when it can.
    """

    dead_threads: tuple[str, ...] = ()
    starting: bool = False
    draining: bool = False
    journal_error: str = ""
    journal_bytes: int = 0
    journal_cap_bytes: int = 1
    oldest_unstored_seconds: float = 0.0
    store_failing_seconds: float = 0.0
    waiting_batches: int = 0
    quarantined_batches: int = 0
