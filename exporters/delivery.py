"""What every client that sends telemetry on has in common, whatever its protocol."""

from dataclasses import dataclass
from typing import Protocol

from storage.queries import Signal

ANSWER_CHARACTERS = 300  # of what a receiver said, kept


class DeliveryFailed(Exception):
    """A message was not delivered. Its text may be logged: it has nothing from the receiver but a status.

    `answer` is what the receiver said, cut off; it may quote what it was sent.
    """

    def __init__(self, message: str, answer: str = "") -> None:
        super().__init__(message)
        self.answer = answer


class DeliveryDelayed(DeliveryFailed):
    """Retryable: the receiver cannot take it now, cannot be reached, or is set up wrongly; nothing is lost by waiting.

    `retry_after_seconds` is the receiver's own wish, when it has one.
    """

    def __init__(self, message: str, answer: str = "", retry_after_seconds: float | None = None) -> None:
        super().__init__(message, answer)
        self.retry_after_seconds = retry_after_seconds


class DeliveryRejected(DeliveryFailed):
    """Permanent: the receiver will never take this message as it is; parts of it, it may."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of a message: `rejected` items were turned away for good; `answer` is as in DeliveryFailed."""

    rejected: int = 0
    answer: str = ""


class Client(Protocol):
    """Sends messages to one receiver. Used from one thread."""

    @property
    def signals(self) -> frozenset[Signal]:
        """The signals it can send."""
        ...

    def send(self, signal: Signal, body: bytes) -> Delivered:
        """Deliver a serialised Export{Trace,Logs}ServiceRequest and return once it is acknowledged.

        Raises: DeliveryDelayed, DeliveryRejected.
        """
        ...

    def close(self) -> None:
        """Give up connections. Idempotent."""
        ...
