"""Log records as Loki's entries: read from storage page by page, run through the rest of the pipeline."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pyarrow as pa

from collector.query.loki.labels import Labels, line_of, stream_labels, structured_metadata
from collector.query.loki.plan import Plan
from collector.query.loki.stages import run
from exporters.rows import LogRow, read_logs
from storage.api import LogReader
from storage.queries import TimeRange

# When conditions are left that storage cannot answer, this many records are looked at.
MAX_SCANNED = 50_000
_PAGE = 2_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. `stream` are its stream's labels, `structured` the record's own, `parsed` those read from the line."""

    time_unix_nano: int
    line: str
    stream: Labels
    structured: Labels
    parsed: Labels

    @property
    def labels(self) -> Labels:
        """All labels together."""
        return self.stream | self.structured | self.parsed


def find_entries(storage: LogReader, plan: Plan, time: TimeRange, limit: int, oldest_first: bool) -> Iterator[Entry]:
    """Yield at most `limit` entries in the order asked for."""
    for records in _pages(storage, plan, time, limit, oldest_first):
        for entry in entries(records, plan):
            yield entry
            limit -= 1
            if limit == 0:
                return


def entries(records: pa.Table, plan: Plan) -> Iterator[Entry]:
    """Yield what the rest of the pipeline leaves of some records."""
    for row in read_logs(records):
        entry = _entry(row, plan)
        if entry is not None:
            yield entry


def _pages(storage: LogReader, plan: Plan, time: TimeRange, limit: int, oldest_first: bool) -> Iterator[pa.Table]:
    scanned = 0
    query = plan.query(time, min(limit, _PAGE), oldest_first)
    while True:
        page = storage.find_logs(query)
        yield page.records
        scanned += page.records.num_rows
        if page.next is None or scanned >= max(MAX_SCANNED, limit):
            return
        query = replace(query, after=page.next, limit=_PAGE)


def _entry(row: LogRow, plan: Plan) -> Entry | None:
    line = line_of(row)
    stream, structured = stream_labels(row), structured_metadata(row)
    if not plan.rest:
        return Entry(row.event_time_unix_nano, line, stream, structured, {})
    before = structured | stream
    after = run(plan.rest, line, before)
    if after is None:
        return None
    parsed = {name: text for name, text in after.items() if name not in before}
    return Entry(
        row.event_time_unix_nano,
        line,
        {name: text for name, text in stream.items() if name in after},
        {name: text for name, text in structured.items() if name in after and name not in stream},
        parsed,
    )
