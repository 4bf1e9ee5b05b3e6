"""Fixtures for components: a pipeline to hand to a receiver, and the process that runs the rules."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.processors.agent_stream.worker import RuleWorker
from collector.processors.agent_transfers.options import make_options
from tests.receiving import Received, receiving


@pytest.fixture(scope="module")
def worker() -> Iterator[RuleWorker]:
    """The process that runs the rules of agent transfers."""
    instance = RuleWorker(make_options())
    yield instance
    instance.close()


@pytest.fixture
def received(tmp_path: Path) -> Iterator[Received]:
    """A pipeline to hand to a receiver."""
    with receiving(tmp_path / "data") as received:
        yield received
