"""The engines that the contract suite runs against: how to open a store, here and in a process that will be killed."""

from collections.abc import Callable
from pathlib import Path

from storage.agents import AgentStorage
from storage.clickhouse.embedded import open_embedded
from tests.postgres import has_timescale, open_folder, open_hypertables

Opener = Callable[[Path], AgentStorage]

ENGINES: dict[str, Opener] = {"clickhouse-embedded": open_embedded, "postgres": open_folder}

# Fixtures with a store for the whole run, and with what a process of its own needs before it opens one.
SHARED = {"clickhouse-embedded": "engine", "postgres": "postgres_engine"}
NEEDED: dict[str, tuple[str, ...]] = {"clickhouse-embedded": (), "postgres": ("postgres_server",)}

# Where the server has the extension; tests/unit/test_postgres_timescale.py says what happens elsewhere.
if has_timescale():
    ENGINES["postgres-timescale"] = open_hypertables
    SHARED["postgres-timescale"] = "hypertables_engine"
    NEEDED["postgres-timescale"] = ("postgres_server",)

# A folder that one process at a time can have open.
EXCLUSIVE = frozenset({"clickhouse-embedded"})
