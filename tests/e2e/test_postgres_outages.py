"""PostgreSQL goes away in every way it can: clients are still answered, and what was acknowledged is stored once.

One Baton and one PostgreSQL server for all outages. The server's disk is a small tmpfs where the system allows mounting
one; elsewhere its files are not allowed to grow.
"""

import resource
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from collector.bench.api import Api
from collector.bench.server import ServerProcess
from storage.postgres.local import LocalServer
from tests.e2e.exporting import Exporter, Exporters, Fate, log_exporters, settle, stored_span_ids, trace_exporters
from tests.e2e.test_disk_full import fill
from tests.postgres import new_database, programs
from tests.waiting import until

# Small, so that a disk of 640 MB is filled soon and every connection can be taken.
_SERVER = {
    "fsync": "off",
    "shared_buffers": "32MB",
    "max_wal_size": "64MB",
    "min_wal_size": "32MB",
    "max_connections": "14",
    "superuser_reserved_connections": "3",
}
_ROLE = "baton_outages"
_DATABASE = "outages"


@dataclass(frozen=True, slots=True)
class World:
    """What an outage may touch."""

    postgres: LocalServer
    baton: ServerProcess
    mounted: bool

    def command(self, statement: str, database: str = _DATABASE) -> list[tuple[object, ...]]:
        dsn = psycopg.conninfo.make_conninfo(self.postgres.dsn, dbname=database)
        with psycopg.connect(dsn, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def failures(self) -> str:
        """Return what Baton has said about failing writes so far."""
        lines = self.baton.log.read_text(errors="replace").splitlines()
        return "\n".join(line for line in lines if "storage_write_failed" in line)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with ExitStack() as undo:
        top = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="baton-pg-", ignore_cleanup_errors=True)))
        top.chmod(0o711)
        folder = top / "pg"
        folder.mkdir()
        mounted = mount(folder)
        if mounted:
            undo.callback(subprocess.run, ["umount", "--lazy", str(folder)], check=True)
        postgres = LocalServer(folder, _SERVER, programs())
        postgres.start()
        undo.callback(postgres.stop, "immediate")
        dsn = new_database(postgres.dsn, _DATABASE)
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {_ROLE} LOGIN".encode())
            connection.execute(f"GRANT CREATE ON DATABASE {_DATABASE} TO {_ROLE}".encode())
        store = {"engine": "postgres", "dsn": psycopg.conninfo.make_conninfo(dsn, user=_ROLE)}
        baton = ServerProcess(top / "baton", {"exporters": {"storage": store}})
        yield World(postgres, undo.enter_context(baton), mounted)


def mount(folder: Path) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", "size=640m", "baton-test", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


END_COPIES = """
SELECT pid FROM (
    SELECT pid FROM pg_stat_activity WHERE usename = %s AND state = 'active' AND query LIKE 'COPY%%'
) AS busy
WHERE pg_terminate_backend(pid)
"""


@contextmanager
def connections_lost(world: World) -> Iterator[str]:
    """Every session is ended, again and again, in the middle of `COPY` among others."""
    lost = []
    deadline = time.monotonic() + 60
    with psycopg.connect(world.postgres.dsn, autocommit=True) as connection:
        while len(lost) < 3 and time.monotonic() < deadline:
            lost += connection.execute(END_COPIES, (_ROLE,)).fetchall()
            time.sleep(0.001)
    assert len(lost) >= 3, "no COPY was met"
    yield "connection"


@contextmanager
def server_restarted(world: World) -> Iterator[str]:
    world.postgres.stop("immediate")
    try:
        yield "connection"
    finally:
        world.postgres.start()


@contextmanager
def right_missing(world: World) -> Iterator[str]:
    world.command(f"ALTER TABLE baton.batches OWNER TO postgres; REVOKE ALL ON baton.batches FROM {_ROLE}")
    try:
        yield "lacks a right"
    finally:
        world.command(f"ALTER TABLE baton.batches OWNER TO {_ROLE}; GRANT ALL ON baton.batches TO {_ROLE}")


@contextmanager
def database_missing(world: World) -> Iterator[str]:
    away = f"ALTER DATABASE {_DATABASE} RENAME TO elsewhere"
    end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{_DATABASE}'"
    for _ in range(100):
        world.command(end, "postgres")
        try:
            world.command(away, "postgres")
            break
        except psycopg.errors.ObjectInUse:
            continue
    try:
        yield "does not exist"
    finally:
        world.command(f"ALTER DATABASE elsewhere RENAME TO {_DATABASE}", "postgres")


_TAKER = "taker"
_END_OTHERS = f"""
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = '{_DATABASE}' AND usename = '{_ROLE}' AND application_name <> '{_TAKER}'
"""


@contextmanager
def connections_taken(world: World) -> Iterator[str]:
    """Others have every connection that is not reserved: Baton's are ended, and it gets none."""
    dsn = psycopg.conninfo.make_conninfo(world.postgres.dsn, user=_ROLE, application_name=_TAKER)
    refused = 0  # in a row, while Baton had none either
    deadline = time.monotonic() + 30
    with ExitStack() as taken:
        while refused < 5 and time.monotonic() < deadline:
            ended = world.command(_END_OTHERS, "postgres")
            try:
                taken.enter_context(psycopg.connect(dsn))
                refused = 0
            except psycopg.OperationalError:
                refused = 0 if ended else refused + 1
                time.sleep(0.02)
        assert refused == 5, "Baton keeps a connection"
        yield "slots"


@contextmanager
def disk_full(world: World) -> Iterator[str]:
    if world.mounted:
        filler = world.postgres.folder / "filler"
        with pytest.raises(OSError, match="No space left"):
            fill(filler)
        yield "space"  # "No space left on device", or "Check free disk space" when a page was written in part
        filler.unlink()
        world.postgres.start()  # it ends itself when it cannot write its log
        return
    pid = world.postgres.pid
    assert pid is not None
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (16 << 20, before[1]))  # the size of a file of its log
    world.command(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{_ROLE}'")
    yield "File too large"
    resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
    world.command(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{_ROLE}'")


Outage = Callable[[World], AbstractContextManager[str]]
OUTAGES: list[Outage] = [
    connections_lost,
    server_restarted,
    right_missing,
    database_missing,
    connections_taken,
    disk_full,
]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("outage", OUTAGES)
def test_acknowledged_is_stored_once_after(world: World, outage: Outage) -> None:
    failures = len(world.failures())
    with Exporters(light_load(world.baton)) as clients:
        until(lambda: len(clients.sent) > 20, 60)
        with outage(world) as said:
            until(lambda: said in world.failures()[failures:], 60)
            taken = len(acknowledged(clients))
            until(lambda: len(acknowledged(clients)) > taken + 5, 60)  # the journal takes what storage cannot
    api = Api(world.baton.endpoints.query)
    ledger = settle(api)
    for sent in clients.sent:
        found = stored_span_ids(api, sent)
        if sent.fate is Fate.ACKNOWLEDGED or found:
            assert found == sent.span_ids(), sent
    api.close()
    # reads would hide a span that is stored twice
    for table, signal in (("spans", "traces"), ("logs", "logs")):
        assert world.command(f"SELECT count(*) FROM baton.{table}") == [(ledger[signal]["stored"],)]


def light_load(server: ServerProcess) -> list[Exporter]:
    """Return clients that write a few thousand spans a second: every request is read back, and the disk is small."""
    small, large, _ = trace_exporters(server)
    large.sizes, large.pause_seconds = (300, 1000), 0.2
    return [small, large, log_exporters(server)[0]]


def acknowledged(clients: Exporters) -> list[object]:
    return [sent for sent in clients.sent if sent.fate is Fate.ACKNOWLEDGED]
