"""A PostgreSQL server of Baton's own: set up, started and stopped in a folder, reached through a Unix socket there.

The server refuses to run as root; started by root it runs as the user `postgres`.
"""

import contextlib
import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from storage.errors import StorageUnavailable

MIN_MAJOR = 15
_SYSTEM_USER = "postgres"
_SECONDS = "60"
_MAX_SOCKET_FOLDER = 80

# Sizes for a machine that the collector shares; checkpoints far apart, because each makes pages be logged whole again.
OPTIONS: dict[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",  # who may connect is trusted, as a user who may run programs as the server
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "lz4",
    "wal_buffers": "64MB",
    "maintenance_work_mem": "256MB",
    "max_connections": "50",
    "logging_collector": "off",
}


class LocalServer:
    """A server with its data in `<folder>/data`. Not for production: no passwords, only local connections."""

    def __init__(self, folder: Path, options: dict[str, str] | None = None, programs: Path | None = None) -> None:
        """Take the folder, options over `OPTIONS`, and where the programs are; None: the newest of this machine."""
        self.folder = folder
        self._options = OPTIONS | (options or {})
        self._bin = programs or find_binaries()
        self._sockets = _socket_folder(folder.resolve())

    @property
    def dsn(self) -> str:
        """The connection string of the server's own database `postgres`."""
        return f"host={self._sockets} user={_SYSTEM_USER} dbname=postgres"

    def start(self) -> None:
        """Set the server up if it is new and start it if it does not run; return once it answers.

        Raises: StorageUnavailable with the server's own words.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._make_sockets()
        if os.geteuid() == 0:
            user = pwd.getpwnam(_SYSTEM_USER)
            for folder in (self.folder, self._sockets):
                os.chown(folder, user.pw_uid, user.pw_gid)
            self._check_way()
        data = self.folder.resolve() / "data"
        if not (data / "PG_VERSION").exists():
            shutil.rmtree(data, ignore_errors=True)
            self._run("initdb", "-D", str(data), "-U", _SYSTEM_USER, "-E", "UTF8", "--locale=C", "-A", "trust")
        if not self.is_running:
            options = {"unix_socket_directories": str(self._sockets), **self._options}
            words = " ".join(f"-c {name}='{value}'" for name, value in options.items())
            log = str(self.folder.resolve() / "server.log")
            self._run("pg_ctl", "-D", str(data), "-w", "-t", _SECONDS, "-l", log, "-o", words, "start")

    @property
    def pid(self) -> int | None:
        """The server's process, when it runs."""
        return self.pid_in(self.folder) if self.is_running else None

    @staticmethod
    def pid_in(folder: Path) -> int | None:
        """Return the process that a folder's server was last started as, unless it was stopped or never there."""
        file = folder / "data" / "postmaster.pid"
        return int(file.read_text().split()[0]) if file.exists() else None

    @property
    def is_running(self) -> bool:
        """Tell whether the server runs."""
        return self._call("pg_ctl", "-D", str(self.folder.resolve() / "data"), "status").returncode == 0

    def stop(self, mode: str = "fast") -> None:
        """Stop the server: `fast` ends sessions and saves, `immediate` is as good as a crash. Idempotent."""
        if self.is_running:
            data = str(self.folder.resolve() / "data")
            self._run("pg_ctl", "-D", data, "-w", "-t", _SECONDS, "-m", mode, "stop")
        if self._sockets != self.folder.resolve():
            with contextlib.suppress(OSError):  # another server has its socket there, or it is gone
                self._sockets.rmdir()

    def _make_sockets(self) -> None:
        """Make the socket's folder. One among everybody's temporary files must not be somebody else's."""
        try:
            self._sockets.mkdir(mode=0o700)
        except FileExistsError:
            found = self._sockets.lstat()
            theirs = found.st_uid not in (os.geteuid(), *_system_uid()) or not stat.S_ISDIR(found.st_mode)
            if theirs and self._sockets != self.folder.resolve():
                raise StorageUnavailable(
                    f"{self._sockets}, the folder of the socket, belongs to another user"
                ) from None

    def _check_way(self) -> None:
        for folder in reversed(self.folder.resolve().parents):
            if self._as_its_user("test", "-x", str(folder)).returncode:
                message = f"the server runs as the user {_SYSTEM_USER}, who may not enter {folder}: chmod o+x {folder}"
                raise StorageUnavailable(f"{message}, or choose another directory")

    def _run(self, program: str, *arguments: str) -> None:
        done = self._call(program, *arguments)
        if done.returncode != 0:
            log = self.folder / "server.log"
            said = (done.stderr or done.stdout) + (log.read_text()[-1000:] if log.exists() else "")
            raise StorageUnavailable(f"{program} failed: {said.strip()}")

    def _call(self, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return self._as_its_user(str(self._bin / program), *arguments)

    def _as_its_user(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command: Sequence[str] = arguments
        if os.geteuid() == 0:
            command = ("runuser", "-u", _SYSTEM_USER, "--", *command)
        # The server inherits what it may write to, so a pipe would never be closed: answers go through files.
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            done = subprocess.run(command, check=False, stdout=out, stderr=err, cwd="/")  # noqa: S603
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(command, done.returncode, out.read(), err.read())


def _system_uid() -> list[int]:
    """Return the id of the user whom a server that root starts runs as, if there is one."""
    return [user.pw_uid for user in pwd.getpwall() if user.pw_name == _SYSTEM_USER and os.geteuid() == 0]


def _socket_folder(folder: Path) -> Path:
    """Return where the server's socket is: in the folder, unless that makes its path longer than 107 bytes."""
    if len(str(folder)) <= _MAX_SOCKET_FOLDER:
        return folder
    digest = hashlib.blake2b(str(folder).encode(), digest_size=8).hexdigest()
    return Path(tempfile.gettempdir()) / f"baton-pg-{digest}"


def find_binaries() -> Path:
    """Return the folder of the newest PostgreSQL programs on this machine.

    Raises: StorageUnavailable when there are none.
    """
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    on_path = shutil.which("pg_ctl")
    if on_path:
        places.append(Path(on_path).parent)
    places += [Path("/usr/pgsql-18/bin"), Path("/opt/homebrew/bin"), Path("/usr/local/bin")]
    for place in places:
        if (place / "initdb").exists() and (place / "pg_ctl").exists():
            return place
    raise StorageUnavailable("there are no PostgreSQL programs here; on Debian and Ubuntu: apt install postgresql")
