"""The parts that a store is put together from (`storage.store`): each engine makes them over its own tables."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from storage.agents import AgenticItems, ConversationQuery, RunQuery, TransferQuery
from storage.api import RetentionPolicy, StorageSize, Writer
from storage.bulk import BulkReader
from storage.queries import (
    Dependency,
    Level,
    LogPage,
    LogQuery,
    LogStream,
    Operation,
    Overview,
    Signal,
    SpanMetricsQuery,
    TimeRange,
    TraceMatch,
    TraceQuery,
)


class BatchWriter(Writer, Protocol):
    """The write side, which can be held up."""

    def paused(self) -> AbstractContextManager[None]:
        """Keep this process's writes out while tables are emptied."""
        ...


class TraceSearch(Protocol):
    """Finds traces."""

    def find(self, query: TraceQuery) -> list[TraceMatch]:
        """See `TraceReader.find_traces`."""
        ...


class TraceTable(Protocol):
    """Reads whole traces."""

    def get(self, trace_ids: Sequence[bytes], columns: Sequence[str] | None) -> pa.Table:
        """See `TraceReader.get_traces`."""
        ...


class Suggestions(Protocol):
    """Names for people to pick from."""

    def services(self) -> list[str]:
        """See `TraceReader.services`."""
        ...

    def operations(self, service_name: str | None, kind: int | None) -> list[Operation]:
        """See `TraceReader.operations`."""
        ...

    def attribute_keys(self, signal: Signal, level: Level, prefix: str, limit: int) -> list[str]:
        """See `TraceReader.attribute_keys`."""
        ...

    def attribute_values(
        self, signal: Signal, key: str, level: Level, prefix: str, limit: int
    ) -> list[tuple[str, str]]:
        """See `TraceReader.attribute_values`."""
        ...


class DependencyCounts(Protocol):
    """Counts calls between services."""

    def count(self, time: TimeRange, service_name: str | None) -> list[Dependency]:
        """See `TraceReader.dependencies`."""
        ...


class Figures(Protocol):
    """Figures over many spans."""

    def span_metrics(self, query: SpanMetricsQuery) -> pa.Table:
        """See `TraceReader.span_metrics`."""
        ...

    def overview(self, time: TimeRange) -> Overview:
        """See `TraceReader.overview`."""
        ...


class LogTable(Protocol):
    """Finds and counts log records."""

    def find(self, query: LogQuery) -> LogPage:
        """See `LogReader.find_logs`."""
        ...

    def count(self, query: LogQuery, step_ns: int) -> list[tuple[int, int, int]]:
        """See `LogReader.count_logs`."""
        ...

    def streams(self, query: LogQuery) -> list[LogStream]:
        """See `LogReader.log_streams`."""
        ...


class AgentItems(Protocol):
    """Agentic spans and log records."""

    def since(self, batch_time_unix_nano: int, limit: int) -> AgenticItems:
        """See `AgentStore.agentic_since`."""
        ...

    def joins(self, trace_ids: Sequence[bytes]) -> pa.Table:
        """See `AgentStore.trace_joins`."""
        ...

    def of_conversations(self, conversation_ids: Sequence[str], time: TimeRange) -> list[bytes]:
        """See `AgentStore.traces_of_conversations`."""
        ...

    def of_conversation(self, conversation_id: str, limit: int) -> list[bytes]:
        """See `AgentStore.traces_of_conversation`."""
        ...

    def linking_to(self, trace_ids: Sequence[bytes]) -> list[bytes]:
        """See `AgentStore.traces_linking_to`."""
        ...

    def spans(self, trace_ids: Sequence[bytes], limit: int) -> pa.Table:
        """See `AgentStore.agent_spans`."""
        ...

    def logs(self, trace_ids: Sequence[bytes]) -> pa.Table:
        """See `AgentStore.agent_logs`."""
        ...

    def traceless_logs(self, service_name: str, time: TimeRange) -> pa.Table:
        """See `AgentStore.traceless_agent_logs`."""
        ...


class AgentRows(Protocol):
    """Transfers and runs."""

    def replace(self, group_keys: Sequence[str], transfers: pa.Table, runs: pa.Table) -> None:
        """See `AgentStore.replace_agent_rows`."""
        ...

    def find_transfers(self, query: TransferQuery) -> pa.Table:
        """See `AgentStore.find_transfers`."""
        ...

    def find_runs(self, query: RunQuery) -> pa.Table:
        """See `AgentStore.find_runs`."""
        ...


class AgentFigures(Protocol):
    """Figures over transfers, runs and conversations."""

    def figures(self, query: RunQuery) -> pa.Table:
        """See `AgentStore.agent_figures`."""
        ...

    def edges(self, query: TransferQuery) -> pa.Table:
        """See `AgentStore.transfer_edges`."""
        ...

    def conversations(self, query: ConversationQuery) -> pa.Table:
        """See `AgentStore.conversations`."""
        ...


class Retention(Protocol):
    """What is on disk, and making it less. Called while writes are paused, but for `size`."""

    def size(self) -> StorageSize:
        """See `Storage.size`."""
        ...

    def enforce(self, policy: RetentionPolicy, now_unix_nano: int) -> list[str]:
        """See `Storage.enforce_retention`."""
        ...

    def purge(self) -> None:
        """See `Storage.purge`."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """One of each."""

    writer: BatchWriter
    search: TraceSearch
    traces: TraceTable
    suggestions: Suggestions
    dependencies: DependencyCounts
    figures: Figures
    logs: LogTable
    agent_items: AgentItems
    agent_rows: AgentRows
    agent_figures: AgentFigures
    bulk: BulkReader
    retention: Retention
