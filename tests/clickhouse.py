"""A ClickHouse server for tests, and stores on databases of their own in it.

`BATON_TEST_CLICKHOUSE` names a real server's URL (user `default`; `BATON_TEST_CLICKHOUSE_PASSWORD`, and
`BATON_TEST_CLICKHOUSE_CLUSTER` for the cluster). Without it, `tests.clickhouse_http` is one.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr

from storage.agents import AgentStorage
from storage.clickhouse.server import open_server
from storage.clickhouse.settings import ServerSettings
from tests.clickhouse_http import CLUSTER, PASSWORD
from tests.postgres import hash_of

URL = "BATON_TEST_CLICKHOUSE"
_PASSWORD, _CLUSTER = f"{URL}_PASSWORD", f"{URL}_CLUSTER"
HAS_CLUSTER = _CLUSTER in os.environ


@contextmanager
def running_server(folder: Path) -> Iterator[None]:
    """Start a server and name it in the environment, for this process and its children, unless one is named."""
    if URL in os.environ:
        yield
        return
    command = [sys.executable, "-m", "tests.clickhouse_http", str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        named = {URL: f"http://127.0.0.1:{int(process.stdout.readline())}", _CLUSTER: CLUSTER}
        os.environ.update(named)
        try:
            yield
        finally:
            for name in named:
                del os.environ[name]
            process.kill()


def settings(database: str, cluster: bool = False, **others: object) -> ServerSettings:
    """Return the settings of a store on a database of the running server."""
    given = {
        "endpoints": (os.environ[URL],),
        "password": SecretStr(os.environ.get(_PASSWORD, PASSWORD)),
        "database": database,
        "cluster": os.environ.get(_CLUSTER, CLUSTER) if cluster else None,
    }
    return ServerSettings.model_validate(given | others)


def open_folder(folder: Path) -> AgentStorage:
    """Open the store that belongs to a folder's path: a database of the running server."""
    return open_server(settings(f"folder{hash_of(str(folder))}"))


def open_folder_on_cluster(folder: Path) -> AgentStorage:
    """Open the store that belongs to a folder's path, on the cluster."""
    return open_server(settings(f"cluster{hash_of(str(folder))}", cluster=True))
