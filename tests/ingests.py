"""Ingests as a receiver may meet them on a bad day: stuck, full, broken."""

from concurrent.futures import Future

from collector.errors import Refused
from collector.pipeline.api import Outcome, Request
from storage.queries import Signal
from tests.waiting import until


class Stuck:
    """An Ingest whose disk does not answer; a test may answer in its place."""

    def __init__(self) -> None:
        self.answers: list[Future[Outcome]] = []

    def submit(self, request: Request) -> "Future[Outcome]":
        self.answers.append(Future())
        return self.answers[-1]

    def count_undecodable(self, signal: Signal, transport: str, reason: str) -> None:
        raise AssertionError(reason)

    def wait_for(self, requests: int) -> None:
        """Return once so many requests have come so far."""
        until(lambda: len(self.answers) >= requests)


class Broken(Stuck):
    """An Ingest with a bug."""

    def submit(self, request: Request) -> "Future[Outcome]":
        raise KeyError("bug")


class Full(Stuck):
    """An Ingest that takes nothing more."""

    def submit(self, request: Request) -> "Future[Outcome]":
        raise Refused("too much waits", 2.0)
