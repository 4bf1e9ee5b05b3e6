"""Fixtures for every kind of test."""

from collections.abc import Iterator

import hypothesis
import pytest

from storage.agents import AgentStorage
from storage.clickhouse.embedded import open_embedded

# machines are shared: how long an example takes says nothing
hypothesis.settings.register_profile("baton", deadline=None)
hypothesis.settings.load_profile("baton")


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentStorage]:
    """The one embedded engine that this process can host. Who uses it purges it first, and once for a module."""
    opened = open_embedded(tmp_path_factory.mktemp("store"))
    yield opened
    opened.close()
