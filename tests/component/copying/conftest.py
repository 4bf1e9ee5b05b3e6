"""The engines between which is copied, empty."""

from pathlib import Path

import pytest

from storage.agents import AgentStorage
from tests.component.copying.ends import ENDS, Ends


@pytest.fixture(params=ENDS)
def stores(request: pytest.FixtureRequest) -> tuple[AgentStorage, AgentStorage]:
    """Return an empty source and an empty target."""
    source, target = (request.getfixturevalue(name) for name in ENDS[request.param])
    source.purge()
    target.purge()
    return source, target


@pytest.fixture
def ends(stores: tuple[AgentStorage, AgentStorage], tmp_path: Path) -> Ends:
    return Ends(stores, tmp_path)
