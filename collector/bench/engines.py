"""The engines that the bench knows: how each takes rows when nothing is in its way, and what processes it has."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from storage.api import Batch, Storage
from storage.postgres.local import LocalServer

_ENGINE_BYTES = 4 << 30  # the largest insert size needs more than a server is given


class BareEngine(Protocol):
    """An engine that is handed rows and does nothing else."""

    def ready(self, batch: Batch) -> Callable[[], None]:
        """Return what inserts a batch; everything that is not the engine's own work is done before."""

    @property
    def processes(self) -> list[int]:
        """The ids of the engine's processes beside this one."""

    def close(self) -> None:
        """End it."""


class _Embedded:
    """The embedded engine: it takes Arrow tables as they are."""

    processes: list[int] = []  # noqa: RUF012  (never added to)

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def ready(self, batch: Batch) -> Callable[[], None]:
        return lambda: self._storage.write(batch)

    def close(self) -> None:
        self._storage.close()


def open_bare(engine: str, folder: Path) -> BareEngine:
    """Set an engine up in a scratch folder. Engines are imported late: one takes 250 MB, and only here."""
    if engine == "postgres":
        from storage.postgres.bare import BareCopy  # noqa: PLC0415

        return BareCopy(folder)
    from storage.clickhouse.embedded import open_embedded  # noqa: PLC0415
    from storage.clickhouse.settings import EmbeddedSettings  # noqa: PLC0415

    generous = EmbeddedSettings(memory_bytes=_ENGINE_BYTES, query_memory_bytes=_ENGINE_BYTES)
    return _Embedded(open_embedded(folder, generous))


def engine_processes(data_dir: Path) -> list[int]:
    """Return the processes of the engine that a Baton on this folder has started, other than its children."""
    pid = LocalServer.pid_in(data_dir / "pg")
    return [pid] if pid else []
