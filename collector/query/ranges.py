"""Time ranges of a search: what the caller wrote, or everything that is kept."""

from functools import partial

from collector.query.parse.times import parse_time
from collector.query.problems import Problem, read
from storage.queries import TimeRange

EVERYTHING = TimeRange(0, 2**64)


def read_range(start: str | None, end: str | None, now_unix_nano: int) -> TimeRange:
    """Return the half-open range; a side that is not given is open (all kept data)."""
    parse = partial(parse_time, now_unix_nano=now_unix_nano)
    first = EVERYTHING.start if start is None else read("start", parse, start)
    last = EVERYTHING.end if end is None else read("end", parse, end)
    if last <= first:
        raise Problem("bad-parameter", "start must be before end", parameter="start")
    return TimeRange(first, last)


def pinned(time: TimeRange, newest_unix_nano: int) -> TimeRange:
    """Close the range of a first page behind what it showed, so that later pages do not see what arrives meanwhile.

    Not at the moment of the page: spans come some seconds after they began, and would move their traces away.
    """
    return TimeRange(time.start, min(newest_unix_nano + 1, time.end))
