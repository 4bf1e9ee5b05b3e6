"""`GET /api/v1/conversations`: parameters into a storage query, conversations into rows."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from pydantic import BaseModel, Field

from collector.query.agents.transfers import END, START
from collector.query.dependencies import QueryDependencies
from collector.query.page_limit import PageLimit, checked_limit
from collector.query.parse.cursors import Fingerprint, read_conversation_cursor, write_conversation_cursor
from collector.query.parse.times import format_time
from collector.query.problems import read
from collector.query.ranges import pinned, read_range
from storage.agents import ConversationCursor, ConversationQuery

CONVERSATION_EXAMPLE: dict[str, Any] = {
    "conversation_id": "conv-5ca1ab1e",
    "start_time": "2026-01-31T12:00:00.000000000Z",
    "start_time_unix_nano": 1769860800000000000,
    "end_time": "2026-01-31T12:03:10.000000000Z",
    "end_time_unix_nano": 1769860990000000000,
    "duration_ns": 190000000000,
    "traces": 3,
    "spans": 41,
    "errors": 1,
    "agents": ["billing_agent", "triage_agent"],
    "users": ["amira"],
}


class ConversationSearch(BaseModel):
    """The parameters as they are written; every condition must hold."""

    agent: str | None = Field(default=None, description="An agent that takes part.", examples=["billing_agent"])
    user: str | None = Field(default=None, description="A user that takes part.")
    start: str | None = Field(default=None, description=START)
    end: str | None = Field(default=None, description=END)
    limit: PageLimit = Field(default=50, description="Conversations on a page.")
    cursor: str | None = Field(
        default=None, description="`next_cursor` of the page before; send everything else unchanged."
    )

    def fingerprint(self) -> Fingerprint:
        """Return what makes this query the same query on every page."""
        texts = self.model_dump(exclude={"cursor", "limit"}, exclude_none=True)
        return [(name, str(value)) for name, value in texts.items()]

    def query(self, max_limit: int, now_unix_nano: int) -> ConversationQuery:
        """Return the storage query for one row more than the page has. Raises: Problem that names the parameter."""
        after, time = None, read_range(self.start, self.end, now_unix_nano)
        if self.cursor is not None:
            after, time = read("cursor", partial(read_conversation_cursor, query=self.fingerprint()), self.cursor)
        return ConversationQuery(time, self.agent, self.user, checked_limit(self.limit, max_limit) + 1, after)


def search(deps: QueryDependencies, parameters: ConversationSearch) -> dict[str, Any]:
    """Return the page: `conversations`, latest end first, and `next_cursor`, which is None on the last page."""
    query = parameters.query(deps.limits.max_conversations, deps.clock())
    found = deps.storage.conversations(query).to_pylist()
    page = found[: parameters.limit]
    cursor = None
    if len(found) > len(page):
        time = query.time if query.after else pinned(query.time, page[0]["end_time_unix_nano"])
        last = ConversationCursor(page[-1]["end_time_unix_nano"], page[-1]["conversation_id"])
        cursor = write_conversation_cursor(last, time, parameters.fingerprint())
    return {"conversations": [_row(row) for row in page], "next_cursor": cursor}


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "conversation_id": row["conversation_id"],
        **times(row["start_time_unix_nano"], row["end_time_unix_nano"]),
        **{name: row[name] for name in ("traces", "spans", "errors", "agents", "users")},
    }


def times(start_unix_nano: int, end_unix_nano: int) -> dict[str, Any]:
    """Return the members that say when something began and ended."""
    return {
        "start_time": format_time(start_unix_nano),
        "start_time_unix_nano": start_unix_nano,
        "end_time": format_time(end_unix_nano),
        "end_time_unix_nano": end_unix_nano,
        "duration_ns": end_unix_nano - start_unix_nano,
    }
