"""The engines that the contract suite runs against: how to open a store, here and in a process that will be killed."""

from collections.abc import Callable
from pathlib import Path

from storage.agents import AgentStorage
from storage.clickhouse.embedded import open_embedded

Opener = Callable[[Path], AgentStorage]

ENGINES: dict[str, Opener] = {"clickhouse-embedded": open_embedded}
