"""Find traces: windows from the newest back, until there are enough; each trace at its newest match."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from storage.queries import TimeRange, TraceCursor, TraceMatch, TraceQuery

# Reads, within one window, at most so many matches after a cursor (None: from the newest on), newest first, ties by
# trace id, descending. A trace may occur more than once. Fewer than asked for: there are no more.
ReadPage = Callable[[TraceCursor | None, int], list[TraceMatch]]


class MatchingSpans(Protocol):
    """The spans that satisfy one query, as an engine reads them."""

    def windows(self, reach: TimeRange, found: Callable[[], float]) -> Iterator[ReadPage]:
        """Yield what reads each of the adjoining windows that cover `reach`, newest first.

        `found` tells which share of what is wanted the windows so far have brought (see `Windows.windows`).
        """
        ...

    def page_sizes(self) -> Iterator[int]:
        """Yield, without end, how many matches to read for each page of a window."""
        ...

    def newer(self, trace_ids: Sequence[bytes], after: TraceCursor, time: TimeRange) -> set[bytes]:
        """Return those of the traces that also match, within `time`, before the pages after the cursor."""
        ...


def find_traces(query: TraceQuery, matching: Callable[[TraceQuery], MatchingSpans | None]) -> list[TraceMatch]:
    """See `storage.api.TraceReader.find_traces`. `matching` is asked once; it returns None when nothing can match."""
    time = query.time.clamped()
    reach = time
    if query.after is not None:
        reach = TimeRange(time.start, min(time.end, query.after.newest_match_unix_nano + 1))
    if query.limit <= 0 or reach.start >= reach.end:
        return []
    spans = matching(query)
    if spans is None:
        return []
    walk = _Walk(query, time, spans)
    for read in spans.windows(reach, lambda: len(walk.found) / query.limit):
        walk.search(read)
        if walk.enough:
            break
    return list(walk.found.values())[: query.limit]


@dataclass(slots=True)
class _Walk:
    query: TraceQuery
    time: TimeRange
    spans: MatchingSpans
    found: dict[bytes, TraceMatch] = field(default_factory=dict)  # newest first
    passed: set[bytes] = field(default_factory=set)  # their newest match is on an earlier page

    @property
    def enough(self) -> bool:
        return len(self.found) >= self.query.limit

    def search(self, read: ReadPage) -> None:
        """Add a window's traces, newest first, until the limit is reached or the window is exhausted."""
        after = self.query.after
        for size in self.spans.page_sizes():
            page = read(after, size)
            self._take(page)
            if self.enough or len(page) < size:
                return
            after = TraceCursor(page[-1].newest_match_unix_nano, page[-1].trace_id)

    def _take(self, page: Sequence[TraceMatch]) -> None:
        fresh: dict[bytes, TraceMatch] = {}
        for match in page:
            if match.trace_id not in self.found and match.trace_id not in self.passed:
                fresh.setdefault(match.trace_id, match)
        self.passed |= self._newer(list(fresh))
        self.found |= {trace_id: match for trace_id, match in fresh.items() if trace_id not in self.passed}

    def _newer(self, trace_ids: Sequence[bytes]) -> set[bytes]:
        """Return those of the traces that belong to an earlier page."""
        after = self.query.after
        if after is None or not trace_ids:
            return set()
        newer = TimeRange(max(after.newest_match_unix_nano, self.time.start), self.time.end)
        return self.spans.newer(trace_ids, after, newer) if newer.start < newer.end else set()
