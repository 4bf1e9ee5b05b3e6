"""Pages of log records: records of the cursor's own time are skipped by number."""

import pyarrow as pa
import pyarrow.compute as pc

from storage.queries import LogCursor, LogPage, LogQuery, TimeRange

_TIME = "event_time_unix_nano"


def reach(query: LogQuery) -> TimeRange:
    """Return the range that is left after the cursor; the records to skip are in it."""
    time = query.time.clamped()
    if query.after is None:
        return time
    if query.oldest_first:
        return TimeRange(max(time.start, query.after.event_time_unix_nano), time.end)
    return TimeRange(time.start, min(time.end, query.after.event_time_unix_nano + 1))


def page(records: pa.Table, query: LogQuery) -> LogPage:
    """Return the records that were found with where to go on: nowhere when they are fewer than asked for."""
    return LogPage(records, _cursor(records, query.after) if len(records) >= query.limit else None)


def _cursor(records: pa.Table, after: LogCursor | None) -> LogCursor:
    last = records[_TIME][len(records) - 1].as_py()
    same = pc.sum(pc.equal(records[_TIME], pa.scalar(last, pa.uint64()))).as_py()
    earlier = after.skip if after and after.event_time_unix_nano == last else 0
    return LogCursor(last, same + earlier)
