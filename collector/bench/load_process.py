"""The load generator as seen from the process that measures."""

import json
import subprocess
import sys
from dataclasses import asdict
from types import TracebackType
from typing import Self

from collector.bench.load import LoadResult, LoadSpec


class LoadProcess:
    """The generator as seen from the process that measures."""

    def __init__(self, spec: LoadSpec) -> None:
        """Start the process and wait until it is ready to send."""
        command = [sys.executable, "-m", "collector.bench.load", json.dumps(asdict(spec))]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
        self._expect_ready()

    def start(self) -> None:
        """Let it send."""
        self._command("go\n")

    def stop(self) -> None:
        """Let it end early; `result` tells how far it came."""
        self._command("stop\n")

    def result(self) -> LoadResult:
        """Wait for the end and return what was sent. Raises RuntimeError when the generator failed."""
        output, _ = self._process.communicate()
        if self._process.returncode:
            raise RuntimeError(f"the load generator ended with exit code {self._process.returncode}")
        return LoadResult(**json.loads(output))

    def close(self) -> None:
        """End the process, whether or not it is done."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close."""
        self.close()

    def _command(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line)
        self._process.stdin.flush()

    def _expect_ready(self) -> None:
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            self.close()
            raise RuntimeError("the load generator could not start")
