"""`GET /api/v1/logs`: parameters into a storage query, records into a page."""

from dataclasses import replace
from functools import partial
from typing import Literal

import pyarrow as pa
from pydantic import BaseModel, Field

from collector.query.conditions import ATTR_DESCRIPTION, WHERE_DESCRIPTION, read_filter
from collector.query.dependencies import QueryDependencies
from collector.query.page_limit import PageLimit, checked_limit
from collector.query.parse.cursors import Fingerprint, read_log_cursor, write_log_cursor
from collector.query.parse.enums import parse_severity
from collector.query.parse.ids import parse_span_id, parse_trace_id
from collector.query.problems import read
from collector.query.ranges import pinned, read_range
from storage.queries import LogCursor, LogQuery, Signal, TimeRange

_TIME = "RFC 3339, Unix time, or a time ago such as `-1h`"


class LogFilter(BaseModel):
    """Which records; every condition must hold."""

    trace_id: str | None = Field(default=None, description="Hexadecimal, short ids are padded with zeros on the left.")
    span_id: str | None = Field(default=None, description="Hexadecimal, short ids are padded with zeros on the left.")
    service: str | None = Field(default=None, description="`service.name`.", examples=["cart"])
    severity: str | None = Field(default=None, description="At least this severe: trace … fatal, or 1 to 24.")
    text: str | None = Field(default=None, description="The body's text contains this, in any case.")
    attr: list[str] = Field(default=[], description=ATTR_DESCRIPTION)
    where: str | None = Field(default=None, description=WHERE_DESCRIPTION)

    def query(self, time: TimeRange, limit: int) -> LogQuery:
        """Return the storage query. Raises: Problem that names the parameter."""
        return LogQuery(
            time=time,
            trace_id=None if self.trace_id is None else read("trace_id", parse_trace_id, self.trace_id),
            span_id=None if self.span_id is None else read("span_id", parse_span_id, self.span_id),
            service_name=self.service,
            severity_min=None if self.severity is None else read("severity", parse_severity, self.severity),
            text=self.text,
            filter=read_filter(Signal.LOGS, self.attr, self.where),
            limit=limit,
        )


class LogSearch(LogFilter):
    """Which records, in which order and form."""

    start: str | None = Field(
        default=None, description=f"Earliest time, inclusive: {_TIME}. Without it, all kept data."
    )
    end: str | None = Field(default=None, description=f"Latest time, exclusive: {_TIME}.")
    order: Literal["newest", "oldest"] = Field(default="newest", description="Which come first.")
    format: Literal["rows", "otlp", "text"] = Field(
        default="rows", description="rows: flat objects; otlp: lossless OTLP JSON; text: a line for each record."
    )
    limit: PageLimit = Field(default=100, description="Records on a page.")
    cursor: str | None = Field(
        default=None, description="`next_cursor` of the page before; send everything else unchanged."
    )

    def fingerprint(self) -> Fingerprint:
        """Return what makes this query the same query on every page, in whatever form it is answered."""
        texts = self.model_dump(exclude={"cursor", "limit", "attr", "format"}, exclude_none=True)
        return [*((name, str(value)) for name, value in texts.items()), *(("attr", text) for text in self.attr)]


def search(deps: QueryDependencies, parameters: LogSearch) -> tuple[pa.Table, str | None]:
    """Return the page's records (LOGS schema, in the order asked for) and the cursor of the next page."""
    limit = checked_limit(parameters.limit, deps.limits.max_logs)
    time = read_range(parameters.start, parameters.end, deps.clock())
    after = None
    if parameters.cursor is not None:
        after, time = read("cursor", partial(read_log_cursor, query=parameters.fingerprint()), parameters.cursor)
    page = deps.storage.find_logs(_placed(parameters.query(time, limit), after, parameters.order))
    if page.next is None:
        return page.records, None
    if parameters.order == "newest" and after is None:
        time = pinned(time, int(page.records["event_time_unix_nano"][0].as_py()))
    return page.records, write_log_cursor(page.next, time, parameters.fingerprint())


def _placed(query: LogQuery, after: LogCursor | None, order: str) -> LogQuery:
    return replace(query, after=after, oldest_first=order == "oldest")
