"""Agent transfers and runs: copied as they are; where both stores know a trace, found anew from all its spans."""

from collections.abc import Callable, Sequence
from itertools import islice

import pyarrow as pa
import pyarrow.compute as pc

from collector.copying.state import CopyState, Progress
from collector.processors.agent_stream.evaluate import Evaluator, Minute
from storage.agents import AgentStorage

_GROUPS = 1_000
_TRACES_A_ROUND, _MINUTES_A_ROUND = 200, 200
_UNKNOWN_NS = 60 * 10**9

Stop = Callable[[], None]


class TransferCopier:
    """Copies groups in the source's order; the checkpoint is the last key done."""

    def __init__(self, source: AgentStorage, target: AgentStorage, state: CopyState, stop: Stop) -> None:
        self._source, self._target, self._state, self._stop = source, target, state, stop

    def copy(self) -> None:
        """Copy all groups the target has no rows of. Those it has other rows of are to be looked at again."""
        progress = self._state.progress
        while keys := self._source.agent_group_keys(progress.groups_after, _GROUPS):
            self._copy(keys)
            progress.groups_after, progress.groups = keys[-1], progress.groups + len(keys)
            self._state.save()
            self._stop()
        progress.groups_done = True
        self._state.save()

    def start_over(self) -> None:
        """Compare all groups once more: agentic rows were copied since they were done."""
        progress = self._state.progress
        progress.groups_after, progress.groups, progress.groups_done = "", 0, False

    def _copy(self, keys: Sequence[str]) -> None:
        transfers, runs = self._source.agent_group_rows(keys)
        theirs = self._target.agent_group_rows(keys)
        held = {key for table in theirs for key in pc.unique(table["group_key"]).to_pylist()}
        for key in sorted(held):
            if any(_of(ours, key) != _of(table, key) for ours, table in zip((transfers, runs), theirs, strict=True)):
                _look_again(key, self._state.progress)
        missing = [key for key in keys if key not in held]
        wanted = pa.array(missing, pa.string())
        rows = (table.filter(pc.is_in(table["group_key"], value_set=wanted)) for table in (transfers, runs))
        self._target.replace_agent_rows(missing, *rows)


def _of(table: pa.Table, key: str) -> list[str]:
    return sorted(repr(row) for row in table.filter(pc.equal(table["group_key"], key)).to_pylist())


def _look_again(key: str, progress: Progress) -> None:
    if key.startswith("logs:"):
        service, _, minute = key.removeprefix("logs:").rpartition(":")
        progress.minutes_again.add((service, int(minute)))
    else:
        progress.traces_again.add(key)


def note_unevaluated(source: AgentStorage, progress: Progress, evaluated_until: int | None) -> None:
    """Note what the source's Baton had stored but not looked at when it ended.

    Without its mark, that is taken to be what it stored in its last minute.
    """
    mark: int | None = evaluated_until
    if mark is None:
        if not progress.newest_batch:
            return
        mark = max(progress.newest_batch - _UNKNOWN_NS, 0)
    while mark is not None:
        found = source.agentic_since(mark, 10_000)
        progress.traces_again.update(trace.hex() for trace, _ in found.traces)
        progress.minutes_again.update((service, time // (60 * 10**9)) for service, time, _ in found.records)
        mark = found.next_batch


def evaluate_again(evaluator: Evaluator, state: CopyState, stop: Stop) -> int:
    """Find the transfers of what was noted from all that the target has now; return how many groups these were."""
    progress = state.progress
    groups = 0
    while progress.traces_again or progress.minutes_again:
        traces = list(islice(progress.traces_again, _TRACES_A_ROUND))
        minutes: list[Minute] = list(islice(progress.minutes_again, _MINUTES_A_ROUND))
        groups += evaluator.evaluate_in_parts([bytes.fromhex(trace) for trace in traces], minutes)
        progress.traces_again.difference_update(traces)
        progress.minutes_again.difference_update(minutes)
        state.save()
        stop()
    return groups
