"""Tells how far a copy is: a bar on a terminal, log lines otherwise. Rows, rate, time left."""

import time
from types import TracebackType
from typing import Protocol, Self

import structlog
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

_log = structlog.get_logger(__name__)
_LINE_SECONDS = 5.0


class Meter(Protocol):
    """Used as a context manager, from one thread."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def expect(self, rows: int) -> None:
        """Add rows to what is to be done."""
        ...

    def at(self, what: str) -> None:
        """Say what is being done."""
        ...

    def advance(self, rows: int) -> None:
        """Count rows as done."""
        ...


def meter(console: Console) -> Meter:
    """Return what suits the console."""
    return _Bar(console) if console.is_terminal else _Lines()


class _Rate:
    """Rows a second since the first row was expected, and what is left."""

    def __init__(self) -> None:
        self.total = self.done = 0
        self._began = time.monotonic()

    @property
    def per_second(self) -> int:
        return int(self.done / max(time.monotonic() - self._began, 1e-3))

    @property
    def seconds_left(self) -> int | None:
        return (self.total - self.done) // self.per_second if self.per_second else None


class _Bar:
    def __init__(self, console: Console) -> None:
        self._rate = _Rate()
        columns = ("{task.description}", BarColumn(), "{task.percentage:>3.0f} %", "{task.fields[counted]}")
        shown = (column if isinstance(column, BarColumn) else TextColumn(column) for column in columns)
        self._progress = Progress(*shown, TimeRemainingColumn(elapsed_when_finished=True), console=console)
        self._task = self._progress.add_task("", total=0, counted="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def expect(self, rows: int) -> None:
        self._rate.total += rows
        self._progress.update(self._task, total=self._rate.total)

    def at(self, what: str) -> None:
        self._progress.update(self._task, description=what)

    def advance(self, rows: int) -> None:
        self._rate.done += rows
        counted = f"{self._rate.done:,} of {self._rate.total:,} rows, {self._rate.per_second:,}/s"
        self._progress.update(self._task, advance=rows, counted=counted)


class _Lines:
    def __init__(self) -> None:
        self._rate, self._what, self._said = _Rate(), "", time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._say()

    def expect(self, rows: int) -> None:
        self._rate.total += rows

    def at(self, what: str) -> None:
        self._what = what

    def advance(self, rows: int) -> None:
        self._rate.done += rows
        if time.monotonic() - self._said >= _LINE_SECONDS:
            self._say()

    def _say(self) -> None:
        self._said, rate = time.monotonic(), self._rate
        _log.info(
            "copying",
            at=self._what,
            rows=rate.done,
            of=rate.total,
            per_second=rate.per_second,
            seconds_left=rate.seconds_left,
        )
