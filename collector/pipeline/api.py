"""What receivers hand to the pipeline and what they get back."""

from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from storage.queries import Signal


@dataclass(frozen=True, slots=True)
class Request:
    """One wire message: a decompressed, serialised Export{Trace,Logs}ServiceRequest.

    OTLP/JSON is turned into protobuf by its receiver. Not yet parsed: the body may be malformed.
    """

    signal: Signal
    body: bytes
    transport: str  # "grpc" or "http", for metrics


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request: `accepted` items are on disk, `rejected` ones can never be stored.

    `message` says why, in English, and is empty when all went well.
    """

    accepted: int
    rejected: int = 0
    message: str = ""


class Ingest(Protocol):
    """The pipeline as receivers see it."""

    def submit(self, request: Request) -> "Future[Outcome]":
        """Queue a request; the future resolves once its items are durable.

        Never blocks. The future fails with `Rejected` (malformed body) or `Refused` (journal full, draining,
        deadline). `submit` itself raises `Refused` when the bytes in flight are at their limit.
        """
        ...

    def count_undecodable(self, signal: Signal, transport: str, reason: str) -> None:
        """Note a request that a receiver had to reject before it could be submitted (size, encoding, JSON)."""
        ...
