"""The PostgreSQL server of Baton's own."""

import os
import shutil
import stat
import tempfile
from pathlib import Path

import psycopg
import pytest

from storage.errors import StorageUnavailable
from storage.postgres.local import LocalServer
from tests.postgres import install, running_server


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
        sockets = Path(again.dsn.split()[0].removeprefix("host="))
        assert sockets.parent == Path(tempfile.gettempdir())
        again.stop()
        again.stop()
        assert not server.is_running
        assert not sockets.exists()
    finally:
        LocalServer(folder).stop("immediate")
        shutil.rmtree(top)


def test_nobody_else_on_the_machine_may_connect() -> None:
    install()
    with running_server() as server:
        socket = Path(server.dsn.split()[0].removeprefix("host=")) / ".s.PGSQL.5432"
        assert stat.S_IMODE(socket.stat().st_mode) == 0o700
        assert socket.stat().st_uid == (server.folder / "data").stat().st_uid


@pytest.mark.parametrize("is_a_link", [True, False])
def test_a_socket_folder_of_somebody_else_is_not_used(tmp_path: Path, is_a_link: bool) -> None:
    install()
    server = LocalServer(tmp_path / ("long" * 25))
    sockets = Path(server.dsn.split()[0].removeprefix("host="))
    if is_a_link:
        sockets.symlink_to(tmp_path)
    elif os.geteuid() == 0:
        sockets.mkdir()
        os.chown(sockets, 65_534, 65_534)
    else:
        sockets.touch()
    try:
        with pytest.raises(StorageUnavailable, match="belongs to another user"):
            server.start()
    finally:
        if sockets.is_dir() and not sockets.is_symlink():
            sockets.rmdir()
        else:
            sockets.unlink()


def test_a_folder_that_the_server_may_not_enter_is_named() -> None:
    """Started by root, the server is another user; started by anybody else, the folder is that user's own."""
    install()
    closed = Path(tempfile.mkdtemp(prefix="baton-pg-"))
    server = LocalServer(closed / "below" / "pg", {"fsync": "off", "shared_buffers": "32MB"})
    try:
        if os.geteuid() == 0:
            with pytest.raises(StorageUnavailable, match=f"may not enter {closed}:"):
                server.start()
            closed.chmod(0o711)
        server.start()
        assert server.pid is not None
    finally:
        server.stop("immediate")
        shutil.rmtree(closed)
