"""A source and a target of `baton copy`: real engines."""

import os
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from collector.copying.copy import Copy, Outcome
from collector.copying.meter import meter
from collector.copying.state import CopyState
from collector.processors.agent_stream.evaluate import Evaluator
from collector.processors.agent_stream.worker import RuleWorker
from storage.agents import AgentStorage
from storage.api import Batch
from storage.bulk import ItemTable
from storage.errors import StorageUnavailable
from tests.contract.items import canonical
from tests.contract.test_bulk import read

ENDS = {"to PostgreSQL": ("engine", "postgres_engine"), "to the embedded engine": ("postgres_engine", "engine")}
if "BATON_EVERY_ENGINE" in os.environ:
    ENDS["to a ClickHouse cluster"] = ("engine", "clickhouse_cluster")


class Ends:
    """A source, a target and a state file."""

    def __init__(self, stores: tuple[AgentStorage, AgentStorage], folder: Path) -> None:
        self.source, self.target = stores
        self.file = folder / "copy.json"

    def copy(
        self, worker: RuleWorker | None = None, stop: Callable[[], None] = lambda: None, compare: bool = False
    ) -> Outcome:
        state = CopyState(self.file)
        work = Copy(self.source, self.target, state, meter(Console(quiet=True)), {}, stop)
        return work.run(Evaluator(self.target, worker) if worker else None, None, compare=compare)

    def assert_equal(self) -> None:
        for kind in ItemTable:
            assert canonical(read(self.target, kind)) == canonical(read(self.source, kind)), kind


class Flaky:
    """The real target behind a disk that is full for some writes."""

    def __init__(self, target: AgentStorage, failures: int) -> None:
        self._target, self.failures = target, failures

    def write(self, batch: Batch) -> None:
        if self.failures:
            self.failures -= 1
            raise StorageUnavailable("no space left on device")
        self._target.write(batch)

    def __getattr__(self, name: str) -> object:
        return getattr(self._target, name)
