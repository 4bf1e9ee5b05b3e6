"""One copy from an open store into another: the days, the transfers, and whether the target has it all."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

from collector.copying.days import Counts, Difference, counts, differences, without
from collector.copying.items import ItemCopier
from collector.copying.meter import Meter
from collector.copying.state import CopyState
from collector.copying.transfers import TransferCopier, evaluate_again, note_unevaluated
from collector.processors.agent_stream.evaluate import Evaluator
from storage.agents import AgentStorage
from storage.bulk import ItemTable

_PASSES = 3  # what arrives in the source while it is copied is fetched by the next pass
_AGENTIC = {ItemTable.AGENT_SPANS, ItemTable.AGENT_LOGS}


@dataclass(slots=True)
class Outcome:
    """What a copy did and found."""

    written: dict[ItemTable, int] = field(default_factory=lambda: dict.fromkeys(ItemTable, 0))
    seconds: float = 0.0
    groups: int = 0
    evaluated: int = 0
    source: Counts = field(default_factory=dict)
    target: Counts = field(default_factory=dict)
    missing: list[Difference] = field(default_factory=list)
    differed: int = 0  # rows that only the comparison of contents found missing; they were copied then


class Copy:
    """Copies what its state says is left. `stop` is called often and raises to end the copy between two inserts."""

    def __init__(
        self,
        source: AgentStorage,
        target: AgentStorage,
        state: CopyState,
        meter: Meter,
        left_out: Counts,
        stop: Callable[[], None],
    ) -> None:
        self._source, self._target, self._state, self._meter = source, target, state, meter
        self._left_out, self._stop = left_out, stop
        self._items = ItemCopier(source, target, state, self._advance)
        self.outcome = Outcome()

    def run(self, evaluator: Evaluator | None, evaluated_until: int | None, *, compare: bool = False) -> Outcome:
        """Copy and verify; `compare` reads everything on both sides once more.

        Raises StorageUnavailable, StorageRejected, OSError, and what `stop` raises; run again, it goes on.
        """
        began = time.monotonic()
        self._count()
        for _ in range(_PASSES):
            todo = self._todo()
            if not todo:
                break
            self._copy(todo)
            self._count()
        self._copy_transfers(evaluator, evaluated_until)
        if compare:
            self.outcome.differed = self._copy([(t, day) for t, days in self.outcome.source.items() for day in days])
            self._count()
        self.outcome.missing = list(differences(self.outcome.source, self.outcome.target, self._copied()))
        self.outcome.seconds = time.monotonic() - began
        return self.outcome

    def _count(self) -> None:
        self.outcome.source = without(counts(self._source), self._left_out)
        self.outcome.target = counts(self._target)

    def _todo(self) -> list[tuple[ItemTable, date]]:
        """Return the days that are not done, or done but without all their rows."""
        short = {(found.table, found.day) for found in self._differences()}
        days = [(table, day) for table, days in self.outcome.source.items() for day in sorted(days)]
        return [(table, day) for table, day in days if (table, day) in short or not self._state.day(table, day).done]

    def _differences(self) -> list[Difference]:
        return list(differences(self.outcome.source, self.outcome.target, self._copied()))

    def _copied(self) -> Counts:
        return {
            table: {day: self._state.day(table, day).rows for day in days}
            for table, days in self.outcome.source.items()
        }

    def _copy(self, todo: list[tuple[ItemTable, date]]) -> int:
        """Copy days, those that are done from their start again; return the rows that were written."""
        for table, day in todo:
            if self._state.day(table, day).done:
                self._state.restart(table, day)
        rows = sum(self.outcome.source[table][day] - self._state.day(table, day).rows for table, day in todo)
        self._meter.expect(rows)
        written = 0
        for table, day in todo:
            self._meter.at(f"{table.value} {day}")
            before = self._state.day(table, day).written
            self._items.copy_day(table, day)
            more = self._state.day(table, day).written - before
            self.outcome.written[table] += more
            written += more
        return written

    def _copy_transfers(self, evaluator: Evaluator | None, evaluated_until: int | None) -> None:
        progress = self._state.progress
        copier = TransferCopier(self._source, self._target, self._state, self._stop)
        self._meter.at("transfers")
        if progress.groups_done and any(self.outcome.written[table] for table in _AGENTIC):
            copier.start_over()
        if not progress.groups_done:
            copier.copy()
            note_unevaluated(self._source, progress, evaluated_until)
        self.outcome.groups = progress.groups
        if evaluator is not None:
            self.outcome.evaluated = evaluate_again(evaluator, self._state, self._stop)

    def _advance(self, rows: int) -> None:
        self._meter.advance(rows)
        self._stop()
