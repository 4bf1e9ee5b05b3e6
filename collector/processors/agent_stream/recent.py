"""Which traces were agentic lately: their other spans matter too, and may come later or from other services."""

import threading
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

_ID = pa.binary(16)


class RecentTraces:
    """The ids of the traces that were added last, at most `capacity`. Thread-safe."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._ids: dict[bytes, None] = {}
        self._column: pa.Array | None = None
        self._mutex = threading.Lock()

    def add(self, trace_ids: Iterable[bytes]) -> None:
        """Add traces; those that were not added for the longest time make room."""
        with self._mutex:
            for trace_id in trace_ids:
                self._ids.pop(trace_id, None)
                self._ids[trace_id] = None
                self._column = None
            for trace_id in list(self._ids)[: max(0, len(self._ids) - self._capacity)]:
                del self._ids[trace_id]

    def among(self, trace_ids: pa.ChunkedArray) -> set[bytes]:
        """Return the known traces in a column of ids. Costs nothing while no trace is known."""
        with self._mutex:
            if not self._ids:
                return set()
            if self._column is None:
                self._column = pa.array(list(self._ids), _ID)
            known = self._column
        found = trace_ids.filter(pc.is_in(trace_ids, value_set=known))
        return set(pc.unique(found).to_pylist())

    def clear(self) -> None:
        """Forget everything."""
        with self._mutex:
            self._ids.clear()
            self._column = None
