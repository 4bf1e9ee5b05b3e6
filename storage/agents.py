"""The storage port for agents: what the transfer processor reads and writes, and what the query API asks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from storage.api import Storage
from storage.bulk import BulkReader
from storage.queries import TimeRange

# What joins traces into groups, one row per trace.
TRACE_JOINS = pa.schema(
    [
        pa.field("trace_id", pa.binary(16)),
        pa.field("start_time_unix_nano", pa.uint64()),
        pa.field("end_time_unix_nano", pa.uint64()),
        pa.field("conversation_ids", pa.list_(pa.string())),
        pa.field("linked_trace_ids", pa.list_(pa.binary())),
    ]
)


@dataclass(frozen=True, slots=True)
class TransferCursor:
    """Where a page of transfers ended."""

    time_unix_nano: int
    id: str


@dataclass(frozen=True, slots=True)
class TransferQuery:
    """Transfers that satisfy everything below, newest first, ties by id descending; None means "any"."""

    time: TimeRange | None = None
    trace_id: bytes | None = None  # the transfer's trace or its target's
    trace_ids: Sequence[bytes] | None = None
    conversation_id: str | None = None
    from_agent: str | None = None
    to_agent: str | None = None
    kind: str | None = None
    signal: str | None = None
    min_confidence: float = 0.0
    limit: int = 100
    after: TransferCursor | None = None


@dataclass(frozen=True, slots=True)
class RunQuery:
    """Agent runs that satisfy everything below, oldest first; None means "any"."""

    time: TimeRange | None = None  # of the run's start
    trace_id: bytes | None = None
    trace_ids: Sequence[bytes] | None = None
    conversation_id: str | None = None
    agent_name: str | None = None
    limit: int = 10_000


# One row per agent name over a range.
AGENT_FIGURES = pa.schema(
    [
        pa.field("agent_name", pa.string()),
        pa.field("runs", pa.uint64()),
        pa.field("errors", pa.uint64()),
        pa.field("duration_p50_ns", pa.int64()),
        pa.field("duration_p90_ns", pa.int64()),
        pa.field("duration_p99_ns", pa.int64()),
        pa.field("model_calls", pa.uint64()),
        pa.field("tool_calls", pa.uint64()),
        pa.field("input_tokens", pa.int64()),
        pa.field("output_tokens", pa.int64()),
        pa.field("cached_input_tokens", pa.int64()),
        pa.field("reasoning_tokens", pa.int64()),
        pa.field("cost_usd", pa.float64()),
        pa.field("models", pa.list_(pa.string())),
        pa.field("services", pa.list_(pa.string())),
        pa.field("first_seen_unix_nano", pa.uint64()),
        pa.field("last_seen_unix_nano", pa.uint64()),
    ]
)

# One row per (from, to, kind) of transfers. `latency_mean_ns` is the mean time from the transfer to the start of the
# target's run, over those transfers whose run is known; null when none is.
TRANSFER_EDGES = pa.schema(
    [
        pa.field("from_agent", pa.string()),
        pa.field("to_agent", pa.string()),
        pa.field("kind", pa.string()),
        pa.field("transfers", pa.uint64()),
        pa.field("completed", pa.uint64()),
        pa.field("confidence_min", pa.float64()),
        pa.field("confidence_mean", pa.float64()),
        pa.field("latency_mean_ns", pa.int64()),
        pa.field("latency_count", pa.uint64()),
        pa.field("rules", pa.list_(pa.string())),
        pa.field("signals", pa.list_(pa.string())),
        pa.field("first_seen_unix_nano", pa.uint64()),
        pa.field("last_seen_unix_nano", pa.uint64()),
    ]
)

# One row per conversation, newest first.
CONVERSATIONS = pa.schema(
    [
        pa.field("conversation_id", pa.string()),
        pa.field("start_time_unix_nano", pa.uint64()),
        pa.field("end_time_unix_nano", pa.uint64()),
        pa.field("traces", pa.uint64()),
        pa.field("spans", pa.uint64()),
        pa.field("agents", pa.list_(pa.string())),
        pa.field("users", pa.list_(pa.string())),
        pa.field("errors", pa.uint64()),
    ]
)


@dataclass(frozen=True, slots=True)
class ConversationCursor:
    """Where a page of conversations ended."""

    end_time_unix_nano: int
    conversation_id: str


@dataclass(frozen=True, slots=True)
class ConversationQuery:
    """Conversations with an agentic span in the range, ordered by their latest end, newest first."""

    time: TimeRange
    agent_name: str | None = None
    user_id: str | None = None
    limit: int = 50
    after: ConversationCursor | None = None


@dataclass(frozen=True, slots=True)
class AgenticItems:
    """Traces with agentic spans or log records, and agentic log records without a trace, with their batch times."""

    traces: list[tuple[bytes, int]]  # trace id, batch
    records: list[tuple[str, int, int]]  # service name, event time, batch
    next_batch: int | None  # None: there is no more


class AgentStore(Protocol):
    """Agent rows. The errors are those of `storage.api`; all methods may be called from any thread."""

    def agentic_since(self, batch_time_unix_nano: int, limit: int) -> AgenticItems:
        """Return what may hold transfers of the batches at or after the time, oldest batch first.

        At most `limit` traces and as many records, but never a part of a batch; `next_batch` says where to go on.
        """
        ...

    def trace_joins(self, trace_ids: Sequence[bytes]) -> pa.Table:
        """Return TRACE_JOINS rows of those traces that have agentic spans."""
        ...

    def traces_of_conversations(self, conversation_ids: Sequence[str], time: TimeRange) -> list[bytes]:
        """Return the traces with an agentic span of one of the conversations that starts in the range."""
        ...

    def traces_linking_to(self, trace_ids: Sequence[bytes]) -> list[bytes]:
        """Return the traces that have an agentic span which links to one of the traces."""
        ...

    def agent_logs(self, trace_ids: Sequence[bytes]) -> pa.Table:
        """Return the AGENT_LOGS rows of the traces."""
        ...

    def traceless_agent_logs(self, service_name: str, time: TimeRange) -> pa.Table:
        """Return the AGENT_LOGS rows of a service that belong to no trace."""
        ...

    def replace_agent_rows(self, group_keys: Sequence[str], transfers: pa.Table, runs: pa.Table) -> None:
        """Make TRANSFERS and AGENT_RUNS rows the only ones of the given group keys. Idempotent.

        Readers see the old or the new rows of a group, never both.
        """
        ...

    def find_transfers(self, query: TransferQuery) -> pa.Table:
        """Return at most `query.limit` TRANSFERS rows."""
        ...

    def find_runs(self, query: RunQuery) -> pa.Table:
        """Return at most `query.limit` AGENT_RUNS rows."""
        ...

    def agent_figures(self, query: RunQuery) -> pa.Table:
        """Return at most `query.limit` AGENT_FIGURES rows over all matching runs, most runs first.

        Nameless runs are left out.
        """
        ...

    def transfer_edges(self, query: TransferQuery) -> pa.Table:
        """Return at most `query.limit` TRANSFER_EDGES rows over all matching transfers, most transfers first.

        `query.after` has no meaning here.
        """
        ...

    def agent_spans(self, trace_ids: Sequence[bytes], limit: int) -> pa.Table:
        """Return AGENT_SPANS rows of the traces, oldest first, at most `limit`; each span once."""
        ...

    def conversations(self, query: ConversationQuery) -> pa.Table:
        """Return at most `query.limit` CONVERSATIONS rows, over agentic spans and agent runs that name one."""
        ...

    def traces_of_conversation(self, conversation_id: str, limit: int) -> list[bytes]:
        """Return the traces that have an agentic span or a run of the conversation, oldest first."""
        ...


class AgentStorage(Storage, AgentStore, BulkReader, Protocol):
    """All that an engine does."""
