"""One fixture parameter is all that tells the engines apart."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from storage.agents import AgentStorage
from tests.contract.engines import ENGINES, NEEDED, SHARED

Child = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="session", params=sorted(ENGINES))
def engine_name(request: pytest.FixtureRequest) -> str:
    """Return the name of the engine under test."""
    return str(request.param)


@pytest.fixture
def store(engine_name: str, request: pytest.FixtureRequest) -> AgentStorage:
    """Return an empty store: one for the whole run, since a process can host but one embedded engine, and purged."""
    opened: AgentStorage = request.getfixturevalue(SHARED[engine_name])
    opened.purge()
    return opened


@pytest.fixture
def child(engine_name: str, request: pytest.FixtureRequest) -> Child:
    """Start `tests.contract.child` with the engine under test, its folder and an action."""
    for needed in NEEDED[engine_name]:
        request.getfixturevalue(needed)

    def start(folder: Path, action: str, *arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "tests.contract.child", engine_name, str(folder), action, *arguments]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    return start
