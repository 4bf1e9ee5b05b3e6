"""`GET /api/v1/transfers`: parameters into a storage query, transfers into rows."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

from pydantic import BaseModel, Field

from collector.query.dependencies import QueryDependencies
from collector.query.page_limit import PageLimit, checked_limit
from collector.query.parse.cursors import Fingerprint, read_transfer_cursor, write_transfer_cursor
from collector.query.parse.ids import parse_trace_id
from collector.query.parse.times import format_time
from collector.query.problems import read
from collector.query.ranges import pinned, read_range
from storage.agents import TransferCursor, TransferQuery

Kind = Literal["handoff", "delegation", "agent_as_tool", "graph_edge", "sequence", "return"]
START = (
    "Earliest time, inclusive: RFC 3339, Unix time (s, ms, us or ns by its size, or with that unit behind it), or a "
    "time ago such as `-1h`. Without it, all kept data."
)
END = "Latest time, exclusive; written like `start`."

TRANSFER_EXAMPLE: dict[str, Any] = {
    "id": "5d41402abc4b2a76b9719d911017c592",
    "project": "default",
    "trace_id": "000102030405060708090a0b0c0d0e0f",
    "conversation_id": "conv-5ca1ab1e",
    "from_agent": "triage_agent",
    "to_agent": "billing_agent",
    "from_agent_id": "asst_triage_01",
    "to_agent_id": "asst_billing_01",
    "kind": "handoff",
    "completed": True,
    "waits": False,
    "time": "2026-01-31T12:00:00.123456789Z",
    "time_unix_nano": 1769860800123456789,
    "trigger_span_id": "0001020304050607",
    "target_span_id": "08090a0b0c0d0e0f",
    "target_trace_id": None,
    "reason": "the customer was charged twice",
    "signal": "span",
    "rule": "handoff_tool",
    "confidence": 0.95,
}


class TransferSearch(BaseModel):
    """The parameters as they are written; every condition must hold."""

    trace_id: str | None = Field(
        default=None, description="Of the transfer or of its target; hexadecimal, short ids are padded with zeros."
    )
    conversation_id: str | None = Field(default=None, description="As the telemetry has it.", examples=["conv-1"])
    from_agent: str | None = Field(
        default=None, description="Name of the agent that hands over; empty: where it is not known."
    )
    to_agent: str | None = Field(default=None, description="Name of the agent that takes over.")
    kind: Kind | None = Field(default=None, description="What the transfer is.")
    signal: Literal["span", "log"] | None = Field(default=None, description="What told of it: span or log.")
    start: str | None = Field(default=None, description=START)
    end: str | None = Field(default=None, description=END)
    min_confidence: float = Field(default=0.0, ge=0.0, le=1.0, description="Only transfers at least this sure.")
    limit: PageLimit = Field(default=100, description="Transfers on a page.")
    cursor: str | None = Field(
        default=None, description="`next_cursor` of the page before; send everything else unchanged."
    )

    def fingerprint(self) -> Fingerprint:
        """Return what makes this query the same query on every page."""
        texts = self.model_dump(exclude={"cursor", "limit"}, exclude_none=True)
        return [(name, str(value)) for name, value in texts.items()]

    def query(self, max_limit: int, now_unix_nano: int) -> TransferQuery:
        """Return the storage query for one row more than the page has. Raises: Problem that names the parameter."""
        after, time = None, read_range(self.start, self.end, now_unix_nano)
        if self.cursor is not None:
            after, time = read("cursor", partial(read_transfer_cursor, query=self.fingerprint()), self.cursor)
        return TransferQuery(
            time=time,
            trace_id=None if self.trace_id is None else read("trace_id", parse_trace_id, self.trace_id),
            conversation_id=self.conversation_id,
            from_agent=self.from_agent,
            to_agent=self.to_agent,
            kind=self.kind,
            signal=self.signal,
            min_confidence=self.min_confidence,
            limit=checked_limit(self.limit, max_limit) + 1,
            after=after,
        )


def search(deps: QueryDependencies, parameters: TransferSearch) -> dict[str, Any]:
    """Return the page: `transfers`, newest first, and `next_cursor`, which is None on the last page."""
    query = parameters.query(deps.limits.max_transfers, deps.clock())
    found = deps.storage.find_transfers(query).to_pylist()
    page = found[: parameters.limit]
    cursor = None
    if len(found) > len(page) and query.time is not None:
        time = query.time if query.after else pinned(query.time, page[0]["time_unix_nano"])
        last = TransferCursor(page[-1]["time_unix_nano"], page[-1]["id"])
        cursor = write_transfer_cursor(last, time, parameters.fingerprint())
    return {"transfers": [transfer_row(row) for row in page], "next_cursor": cursor}


def transfer_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a TRANSFERS row as the API answers it: ids in hexadecimal, null for what is not known.

    Names of agents are texts always, empty when not known.
    """
    return {
        "id": row["id"],
        "project": row["project"],
        "trace_id": row["trace_id"].hex() or None,
        "conversation_id": row["conversation_id"] or None,
        "from_agent": row["from_agent"],
        "to_agent": row["to_agent"],
        "from_agent_id": row["from_agent_id"] or None,
        "to_agent_id": row["to_agent_id"] or None,
        "kind": row["kind"],
        "completed": row["completed"],
        "waits": row["waits"],
        "time": format_time(row["time_unix_nano"]),
        "time_unix_nano": row["time_unix_nano"],
        "trigger_span_id": row["trigger_span_id"].hex() or None,
        "target_span_id": row["target_span_id"].hex() or None,
        "target_trace_id": row["target_trace_id"].hex() or None,
        "reason": row["reason"] or None,
        "signal": row["signal"],
        "rule": row["rule"],
        "confidence": row["confidence"],
    }
