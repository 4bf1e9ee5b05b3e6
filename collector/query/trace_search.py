"""`GET /api/v1/traces`: parameters into a storage query, matches into rows."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from pydantic import BaseModel, Field

from collector.query.conditions import ATTR_DESCRIPTION, WHERE_DESCRIPTION, read_filter
from collector.query.dependencies import QueryDependencies
from collector.query.page_limit import PageLimit, checked_limit
from collector.query.parse.cursors import Fingerprint, read_trace_cursor, write_trace_cursor
from collector.query.parse.durations import parse_duration
from collector.query.parse.enums import parse_kind, parse_status
from collector.query.parse.times import format_time
from collector.query.problems import Problem, read
from collector.query.ranges import pinned, read_range
from exporters.trace_summary import COLUMNS, TraceSummary, summarize
from storage.queries import Signal, TraceCursor, TraceMatch, TraceQuery


class TraceSearch(BaseModel):
    """The parameters as they are written. One span must satisfy all conditions; its whole trace is answered."""

    service: str | None = Field(default=None, description="`service.name` of the span.", examples=["cart"])
    name: str | None = Field(default=None, description="Name of the span.", examples=["GET /cart"])
    kind: str | None = Field(
        default=None, description="unspecified, internal, server, client, producer, consumer, or 0 to 5."
    )
    status: str | None = Field(default=None, description="unset, ok, error, or 0 to 2.")
    attr: list[str] = Field(default=[], description=ATTR_DESCRIPTION, examples=[["http.route=/cart"]])
    where: str | None = Field(
        default=None,
        description=WHERE_DESCRIPTION,
        examples=['http.status_code >= 500 AND resource.host.name contains "web"'],
    )
    min_duration: str | None = Field(
        default=None, description="Shortest duration of the span, inclusive, such as `1.5ms`."
    )
    max_duration: str | None = Field(default=None, description="Longest duration of the span, inclusive.")
    start: str | None = Field(
        default=None,
        description="Earliest start of the span, inclusive: RFC 3339, Unix time (s, ms, us or ns by its size, or with "
        "that unit behind it), or a time ago such as `-1h`. Without it, all kept data.",
    )
    end: str | None = Field(default=None, description="Latest start of the span, exclusive; written like `start`.")
    limit: PageLimit = Field(default=20, description="Traces on a page.")
    cursor: str | None = Field(
        default=None, description="`next_cursor` of the page before; send everything else unchanged."
    )

    def fingerprint(self) -> Fingerprint:
        """Return what makes this query the same query on every page."""
        texts = self.model_dump(exclude={"cursor", "limit", "attr"}, exclude_none=True)
        return [*((name, str(value)) for name, value in texts.items()), *(("attr", text) for text in self.attr)]

    def query(self, max_limit: int, now_unix_nano: int) -> TraceQuery:
        """Return the storage query. Raises: Problem that names the parameter."""
        after = None
        time = read_range(self.start, self.end, now_unix_nano)
        if self.cursor is not None:
            after, time = read("cursor", partial(read_trace_cursor, query=self.fingerprint()), self.cursor)
        shortest = _optional("min_duration", parse_duration, self.min_duration)
        longest = _optional("max_duration", parse_duration, self.max_duration)
        if shortest is not None and longest is not None and longest < shortest:
            raise Problem("bad-parameter", "is shorter than min_duration", parameter="max_duration")
        return TraceQuery(
            time=time,
            service_name=self.service,
            span_name=self.name,
            kind=_optional("kind", parse_kind, self.kind),
            status_code=_optional("status", parse_status, self.status),
            filter=read_filter(Signal.TRACES, self.attr, self.where),
            duration_min_ns=shortest,
            duration_max_ns=longest,
            limit=checked_limit(self.limit, max_limit),
            after=after,
        )


def search(deps: QueryDependencies, parameters: TraceSearch) -> dict[str, Any]:
    """Return the page: `traces`, newest match first, and `next_cursor`, which is None on the last page."""
    query = parameters.query(deps.limits.max_traces, deps.clock())
    matches = deps.storage.find_traces(query)
    if not matches:
        return {"traces": [], "next_cursor": None}
    spans = deps.storage.get_traces([match.trace_id for match in matches], COLUMNS)
    cursor = None
    if len(matches) == query.limit:
        last = TraceCursor(matches[-1].newest_match_unix_nano, matches[-1].trace_id)
        time = query.time if query.after else pinned(query.time, matches[0].newest_match_unix_nano)
        cursor = write_trace_cursor(last, time, parameters.fingerprint())
    return {"traces": rows(matches, summarize(spans)), "next_cursor": cursor}


def rows(matches: Sequence[TraceMatch], summaries: Sequence[TraceSummary]) -> list[dict[str, Any]]:
    """Return one flat row per match, in the order of the matches."""
    by_id = {summary.trace_id: summary for summary in summaries}
    return [_row(match, by_id[match.trace_id]) for match in matches if match.trace_id in by_id]


def _row(match: TraceMatch, summary: TraceSummary) -> dict[str, Any]:
    return {
        "trace_id": summary.trace_id.hex(),
        "root_service": summary.root_service,
        "root_name": summary.root_name,
        "start_time": format_time(summary.start_unix_nano),
        "start_time_unix_nano": summary.start_unix_nano,
        "duration_ns": summary.end_unix_nano - summary.start_unix_nano,
        "span_count": summary.span_count,
        "error_count": summary.error_count,
        "services": [service.name for service in summary.services],
        "newest_match_time": format_time(match.newest_match_unix_nano),
        "newest_match_unix_nano": match.newest_match_unix_nano,
    }


def _optional(name: str, parse: Callable[[str], int], text: str | None) -> int | None:
    return None if text is None else read(name, parse, text)
