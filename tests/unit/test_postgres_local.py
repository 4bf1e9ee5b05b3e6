"""The PostgreSQL server of Baton's own."""

import os
import shutil
import tempfile
from pathlib import Path

import psycopg

from storage.postgres.local import LocalServer
from tests.postgres import install


def test_a_server_is_set_up_found_running_and_stopped() -> None:
    """Also where the folder's path is too long for a socket, and after a process that could not stop it."""
    install()
    top = Path(tempfile.mkdtemp(prefix="baton-pg-"))
    top.chmod(0o755)
    folder = top / ("long" * 25)
    try:
        server = LocalServer(folder, {"fsync": "off", "shared_buffers": "32MB"})
        server.start()
        again = LocalServer(folder)
        again.start()
        with psycopg.connect(again.dsn) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert (folder / "data").stat().st_uid == server.folder.stat().st_uid
        assert os.geteuid() != 0 or folder.stat().st_uid != 0
        again.stop()
        again.stop()
        assert not server.is_running
    finally:
        LocalServer(folder).stop("immediate")
        shutil.rmtree(top)
