"""Notes which agentic traces have rows in both stores that came in separately: their transfers are found anew."""

from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from collector.copying.state import Progress
from storage.agents import AgentStorage
from storage.bulk import ItemTable
from storage.seen import Seen

MINUTE_NS = 60 * 10**9
_NEIGHBOUR_NS = 5 * 10**9  # rules look at neighbouring records of at most a few seconds
_IDS_A_QUERY = 2_000
_REMEMBERED = 200_000


class Touched:
    """Asks the target before rows are written. What this copy wrote itself does not count, as far as it remembers."""

    def __init__(self, target: AgentStorage, progress: Progress) -> None:
        self._target, self._progress = target, progress
        self._copied: Seen[bytes] = Seen(_REMEMBERED)

    def note(self, table: ItemTable, rows: pa.Table, *, beside: bool) -> None:
        """Note the traces of rows about to be written; `beside`: the target has rows of the table at these times."""
        traces: list[bytes] = [trace for trace in pc.unique(rows["trace_id"]).to_pylist() if trace]
        foreign = self._copied.unseen(traces)
        for start in range(0, len(foreign), _IDS_A_QUERY):
            ids = foreign[start : start + _IDS_A_QUERY]
            found = self._in_target(table, ids)
            self._progress.traces_again.update(trace.hex() for trace in found)
        self._copied.add(traces)
        if table is ItemTable.AGENT_LOGS and beside:
            self._progress.minutes_again.update(_minutes(rows))

    def _in_target(self, table: ItemTable, ids: Sequence[bytes]) -> Iterable[bytes]:
        found: list[bytes] = self._target.trace_joins(ids)["trace_id"].to_pylist()
        if table is ItemTable.AGENT_LOGS:
            found += pc.unique(self._target.agent_logs(ids)["trace_id"]).to_pylist()
        return found


def _minutes(rows: pa.Table) -> set[tuple[str, int]]:
    """Return the minutes that traceless records matter for."""
    traceless = rows.filter(pc.equal(pc.binary_length(rows["trace_id"]), 0))
    found: set[tuple[str, int]] = set()
    names = traceless["service_name"].to_pylist()
    for service, moment in zip(names, traceless["event_time_unix_nano"].to_pylist(), strict=True):
        times = (max(moment - _NEIGHBOUR_NS, 0), moment, moment + _NEIGHBOUR_NS)
        found.update((service, each // MINUTE_NS) for each in times)
    return found
