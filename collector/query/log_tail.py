"""Live tail: what a filter newly finds, by asking storage again and again with an overlap.

Records arrive late and out of order, so each poll reads the last `OVERLAP_NS` again and leaves out what it gave
before. What is remembered is bounded by the overlap and the page: a flood shows its newest records and says that
others were skipped.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa

from collector.query.log_rows import plain_rows
from storage.api import LogReader
from storage.queries import LogQuery, TimeRange

OVERLAP_NS = 10_000_000_000
PAGE = 1_000


@dataclass(frozen=True, slots=True)
class News:
    """New records, oldest first; `skipped` when there were more than a page since the last poll, or the start."""

    rows: list[dict[str, Any]]
    skipped: bool


class LogTail:
    """One subscriber's position. Not thread-safe: one poll at a time."""

    def __init__(
        self,
        storage: LogReader,
        query: Callable[[TimeRange, int], LogQuery],
        start_unix_nano: int | None,
        render: Callable[[pa.Table], list[dict[str, Any]]] = plain_rows,
    ) -> None:
        """Begin at `start_unix_nano`, or with what arrives from the first poll on.

        `query(time, limit)` says which records, newest first; a rendered row has its time in `time_unix_nano`.
        Raises: what `query` raises for a bad parameter.
        """
        query(TimeRange(0, 1), PAGE)
        self._storage = storage
        self._query = query
        self._render = render
        self._start = start_unix_nano
        self._first = True
        self._seen: dict[int, tuple[int, int]] = {}  # hash of a row → (its time, how often it was given)

    def poll(self, now_unix_nano: int) -> News:
        """Read storage once. Raises: the storage errors; the next poll makes up for a failed one."""
        overlap = max(0, now_unix_nano - OVERLAP_NS)
        start = overlap if self._start is None else self._start if self._first else max(overlap, self._start)
        if start > now_unix_nano + OVERLAP_NS:
            return News([], skipped=False)  # a start that is yet to come
        page = self._storage.find_logs(self._query(TimeRange(start, now_unix_nano + OVERLAP_NS), PAGE))
        rows = self._render(page.records)
        rows.reverse()
        fresh = self._unseen(rows)
        silent = self._first and self._start is None
        skipped = not silent and page.next is not None and len(fresh) == len(rows)
        self._first = False
        self._seen = {key: found for key, found in self._seen.items() if found[0] >= overlap}
        return News([] if silent else fresh, skipped)

    def _unseen(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the rows not given yet. Equal rows are records of their own, so they are counted, not just known."""
        counts: dict[int, int] = {}
        fresh = []
        for row in rows:
            key = hash(orjson.dumps(row))
            counts[key] = counts.get(key, 0) + 1
            if counts[key] > self._seen.get(key, (0, 0))[1]:
                self._seen[key] = (row["time_unix_nano"], counts[key])
                fresh.append(row)
        return fresh
