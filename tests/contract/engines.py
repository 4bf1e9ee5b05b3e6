"""The engines that the contract suite runs against: how to open a store, here and in a process that will be killed."""

import os
from collections.abc import Callable
from pathlib import Path

from storage.agents import AgentStorage
from storage.clickhouse.embedded import open_embedded
from tests import clickhouse, postgres

Opener = Callable[[Path], AgentStorage]

ENGINES: dict[str, Opener] = {
    "clickhouse-embedded": open_embedded,
    "postgres": postgres.open_folder,
}

# Fixtures with a store for the whole run, and with what a process of its own needs before it opens one.
SHARED = {
    "clickhouse-embedded": "engine",
    "clickhouse-server": "clickhouse_engine",
    "clickhouse-cluster": "clickhouse_cluster",
    "postgres": "postgres_engine",
}
NEEDED: dict[str, tuple[str, ...]] = {
    "clickhouse-embedded": (),
    "clickhouse-server": ("clickhouse_server",),
    "clickhouse-cluster": ("clickhouse_server",),
    "postgres": ("postgres_server",),
}

# A cluster's statements are a server's and more, so `make test` leaves the lone server to `make test-engines`.
if clickhouse.URL not in os.environ or clickhouse.HAS_CLUSTER:
    ENGINES["clickhouse-cluster"] = clickhouse.open_folder_on_cluster
if clickhouse.URL in os.environ or "BATON_EVERY_ENGINE" in os.environ:
    ENGINES["clickhouse-server"] = clickhouse.open_folder

# Where the server has the extension; tests/unit/test_postgres_timescale.py says what happens elsewhere.
if postgres.has_timescale():
    ENGINES["postgres-timescale"] = postgres.open_hypertables
    SHARED["postgres-timescale"] = "hypertables_engine"
    NEEDED["postgres-timescale"] = ("postgres_server",)

# A folder that one process at a time can have open.
EXCLUSIVE = frozenset({"clickhouse-embedded"})
