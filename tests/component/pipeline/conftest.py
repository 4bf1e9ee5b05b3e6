"""The pipeline over the real embedded engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.agents import AgentStorage
from tests.component.pipeline.restartable import Running


@pytest.fixture
def running(tmp_path: Path, engine: AgentStorage) -> Iterator[Running]:
    engine.purge()
    instance = Running(tmp_path / "journal", engine)
    instance.start()
    yield instance
    instance.writer.error = None
    instance.stop()
