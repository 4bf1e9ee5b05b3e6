"""`baton serve` as a child process on a scratch folder, with ports of its own."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from collector.bench.api import Api
from collector.bench.engines import engine_processes
from collector.bench.usage import Usage, usage

_BATON = "from collector.cli import main; main()"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a server listens, `host:port` each."""

    otlp_grpc: str
    otlp_http: str
    query: str
    jaeger_grpc: str


def keep_port() -> tuple[socket.socket, str]:
    """Return a socket that keeps a free loopback port for a server to come, and its `host:port`.

    While it is open, nobody is given the port. It does not listen, and of the sockets with SO_REUSEADDR that are bound
    to one address Linux lets one listen: clients are refused until a server does.
    """
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(("127.0.0.1", 0))
    return kept, "{}:{}".format(*kept.getsockname())


@contextmanager
def scratch_folder(within: Path) -> Iterator[Path]:
    """Make a folder and remove it afterwards."""
    with TemporaryDirectory(prefix="bench-", dir=within) as folder:
        Path(folder).chmod(0o711)  # an engine's server may run as another user
        yield Path(folder)


class ServerProcess:
    """A real Baton. May be killed and started again on the same folder and ports, which are its own until `close`."""

    def __init__(self, folder: Path, settings: Mapping[str, Any] | None = None, run_under: Sequence[str] = ()) -> None:
        """Prepare a server that keeps everything under `folder`; `settings` go over those of this class, deeply.

        `run_under` is put before the command, and must replace itself by it.
        """
        self._run_under = run_under
        self._kept, addresses = zip(*(keep_port() for _ in range(4)), strict=True)
        self.endpoints = Endpoints(*addresses)
        self.data_dir = folder / "data"
        self.log = folder / "server.log"
        self._config = folder / "otel-config.yaml"
        folder.mkdir(parents=True, exist_ok=True)
        self._config.write_text(json.dumps(_merged(self._listening(), settings or {})))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, patience_seconds: float = 60.0) -> None:
        """Start it and wait until it is ready. Raises RuntimeError with the end of its log when it does not get so."""
        self.launch()
        deadline = time.monotonic() + patience_seconds
        while not self.is_ready():
            if not self.is_running or time.monotonic() > deadline:
                self.close()
                raise RuntimeError(f"baton serve did not get ready:\n{self.log_tail()}")
            time.sleep(0.05)

    def launch(self) -> None:
        """Start it and do not wait."""
        command = [sys.executable, "-c", _BATON, "serve", "--config", str(self._config)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                [*self._run_under, *command, "--data-dir", str(self.data_dir)], stdout=log, stderr=log
            )

    def is_ready(self) -> bool:
        """Tell whether it says that it is ready."""
        api = Api(self.endpoints.query, timeout=5.0)
        try:
            return api.get("/health/ready")[0] == 200
        except (OSError, HTTPException):
            return False
        finally:
            api.close()

    @property
    def pid(self) -> int:
        """The process id."""
        if self._process is None:
            raise RuntimeError("the server was not started")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Tell whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def usage(self) -> Usage:
        """Return what the process has used so far; the CPU time is that of its engine's server, too."""
        own = usage(self.pid)
        others = sum(usage(pid).cpu_seconds for pid in engine_processes(self.data_dir))
        return replace(own, cpu_seconds=own.cpu_seconds + others)

    def kill(self) -> None:
        """End it with SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self, patience_seconds: float = 60.0) -> int:
        """End it with SIGTERM and return its exit code. Raises subprocess.TimeoutExpired when it does not end."""
        if self._process is None:
            raise RuntimeError("the server was not started")
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(patience_seconds)

    def close(self) -> None:
        """End it however it is, and let go of its ports."""
        try:
            if self.is_running:
                self.stop()
        except subprocess.TimeoutExpired:
            self.kill()
        finally:
            for kept in self._kept:
                kept.close()

    def log_tail(self, lines: int = 30) -> str:
        """Return the last lines it wrote."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End."""
        self.close()

    def _listening(self) -> dict[str, Any]:
        grpc, http = {"endpoint": self.endpoints.otlp_grpc}, {"endpoint": self.endpoints.otlp_http}
        return {
            "receivers": {"otlp": {"protocols": {"grpc": grpc, "http": http}}},
            "extensions": {
                "query": {"endpoint": self.endpoints.query},
                "jaeger_grpc": {"endpoint": self.endpoints.jaeger_grpc},
            },
            "service": {"telemetry": {"logs": {"format": "json"}}},
        }


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged
