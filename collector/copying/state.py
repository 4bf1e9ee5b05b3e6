"""How far a copy has come, on disk. Losing it costs time: what is there already is then found by comparing."""

import secrets
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from collector.journal.checkpoint import Checkpoint
from storage.bulk import ItemTable


@dataclass(slots=True)
class DayState:
    """One day of one table: everything before `until` is in the target; `rows` of the source, `written` by us."""

    until: int = 0
    rows: int = 0
    written: int = 0
    done: bool = False


@dataclass(slots=True)
class Progress:
    """The whole state. `run` tells this copy's inserts from those of any other."""

    run: str = field(default_factory=lambda: secrets.token_hex(8))
    days: dict[str, dict[str, DayState]] = field(default_factory=dict)
    groups_after: str = ""  # group keys up to this one are done
    groups: int = 0
    groups_done: bool = False
    newest_batch: int = 0
    # What has rows in both stores that came in separately: traces (hex), and minutes of traceless log records.
    traces_again: set[str] = field(default_factory=set)
    minutes_again: set[tuple[str, int]] = field(default_factory=set)


class CopyState:
    """Loads and saves `Progress`."""

    def __init__(self, path: Path) -> None:
        """Read the file, if there is one. Raises ValueError when it is damaged, OSError."""
        self.path = path
        self._file = Checkpoint(path)
        try:
            self.progress = _read(self._file.load())
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"unexpected content: {error}") from error

    def day(self, table: ItemTable, day: date) -> DayState:
        """Return the state of a day, a new one if need be."""
        return self.progress.days.setdefault(table.value, {}).setdefault(day.isoformat(), DayState())

    def restart(self, table: ItemTable, day: date) -> DayState:
        """Forget how far a day has come; what was written is remembered."""
        state = self.day(table, day)
        state.until, state.rows, state.done = 0, 0, False
        return state

    def save(self) -> None:
        """Replace the file. Raises OSError."""
        state = self.progress
        written = asdict(state)
        written["traces_again"], written["minutes_again"] = sorted(state.traces_again), sorted(state.minutes_again)
        self._file.save(written)


def _read(saved: dict[str, Any]) -> Progress:
    if not saved:
        return Progress()
    days = {
        table: {day: DayState(**state) for day, state in found.items()} for table, found in saved.pop("days").items()
    }
    traces, minutes = set(saved.pop("traces_again")), {(name, at) for name, at in saved.pop("minutes_again")}
    return Progress(days=days, traces_again=traces, minutes_again=minutes, **saved)
