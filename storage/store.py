"""The whole store over the parts of one engine: what is the same whatever the engine."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from datetime import date

import pyarrow as pa

from storage.agents import AgenticItems, ConversationQuery, RunQuery, TransferQuery
from storage.api import Batch, RetentionPolicy, StorageSize
from storage.bulk import ItemTable
from storage.parts import Parts
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


class Store(ABC):
    """`storage.agents.AgentStorage`, each question to the part that answers it."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    @property
    @abstractmethod
    def engine(self) -> str:
        """See `Storage.engine`."""

    @abstractmethod
    def ping(self) -> None:
        """See `Storage.ping`."""

    @abstractmethod
    def close(self) -> None:
        """See `Storage.close`."""

    @abstractmethod
    def _forget(self) -> None:
        """Forget what was written and read: tables were emptied, wholly or by days. Called while writes are paused."""

    def write(self, batch: Batch) -> None:
        """See `Writer.write`."""
        self._parts.writer.write(batch)

    def find_traces(self, query: TraceQuery) -> list[TraceMatch]:
        """See `TraceReader.find_traces`."""
        return self._parts.search.find(query)

    def get_traces(self, trace_ids: Sequence[bytes], columns: Sequence[str] | None = None) -> pa.Table:
        """See `TraceReader.get_traces`."""
        return self._parts.traces.get(trace_ids, columns)

    def services(self) -> list[str]:
        """See `TraceReader.services`."""
        return self._parts.suggestions.services()

    def operations(self, service_name: str | None = None, kind: int | None = None) -> list[Operation]:
        """See `TraceReader.operations`."""
        return self._parts.suggestions.operations(service_name, kind)

    def attribute_keys(
        self, signal: Signal, level: Level = Level.ITEM, prefix: str = "", limit: int = 1000
    ) -> list[str]:
        """See `TraceReader.attribute_keys`."""
        return self._parts.suggestions.attribute_keys(signal, level, prefix, limit)

    def attribute_values(
        self, signal: Signal, key: str, level: Level = Level.ITEM, prefix: str = "", limit: int = 100
    ) -> list[tuple[str, str]]:
        """See `TraceReader.attribute_values`."""
        return self._parts.suggestions.attribute_values(signal, key, level, prefix, limit)

    def dependencies(self, time: TimeRange, service_name: str | None = None) -> list[Dependency]:
        """See `TraceReader.dependencies`."""
        return self._parts.dependencies.count(time, service_name)

    def span_metrics(self, query: SpanMetricsQuery) -> pa.Table:
        """See `TraceReader.span_metrics`."""
        return self._parts.figures.span_metrics(query)

    def overview(self, time: TimeRange) -> Overview:
        """See `TraceReader.overview`."""
        return self._parts.figures.overview(time)

    def find_logs(self, query: LogQuery) -> LogPage:
        """See `LogReader.find_logs`."""
        return self._parts.logs.find(query)

    def count_logs(self, query: LogQuery, step_ns: int) -> list[tuple[int, int, int]]:
        """See `LogReader.count_logs`."""
        return self._parts.logs.count(query, step_ns)

    def log_streams(self, query: LogQuery) -> list[LogStream]:
        """See `LogReader.log_streams`."""
        return self._parts.logs.streams(query)

    def agentic_since(self, batch_time_unix_nano: int, limit: int) -> AgenticItems:
        """See `AgentStore.agentic_since`."""
        return self._parts.agent_items.since(batch_time_unix_nano, limit)

    def trace_joins(self, trace_ids: Sequence[bytes]) -> pa.Table:
        """See `AgentStore.trace_joins`."""
        return self._parts.agent_items.joins(trace_ids)

    def traces_of_conversations(self, conversation_ids: Sequence[str], time: TimeRange) -> list[bytes]:
        """See `AgentStore.traces_of_conversations`."""
        return self._parts.agent_items.of_conversations(conversation_ids, time)

    def traces_linking_to(self, trace_ids: Sequence[bytes]) -> list[bytes]:
        """See `AgentStore.traces_linking_to`."""
        return self._parts.agent_items.linking_to(trace_ids)

    def agent_logs(self, trace_ids: Sequence[bytes]) -> pa.Table:
        """See `AgentStore.agent_logs`."""
        return self._parts.agent_items.logs(trace_ids)

    def traceless_agent_logs(self, service_name: str, time: TimeRange) -> pa.Table:
        """See `AgentStore.traceless_agent_logs`."""
        return self._parts.agent_items.traceless_logs(service_name, time)

    def replace_agent_rows(self, group_keys: Sequence[str], transfers: pa.Table, runs: pa.Table) -> None:
        """See `AgentStore.replace_agent_rows`."""
        self._parts.agent_rows.replace(group_keys, transfers, runs)

    def find_transfers(self, query: TransferQuery) -> pa.Table:
        """See `AgentStore.find_transfers`."""
        return self._parts.agent_rows.find_transfers(query)

    def find_runs(self, query: RunQuery) -> pa.Table:
        """See `AgentStore.find_runs`."""
        return self._parts.agent_rows.find_runs(query)

    def agent_figures(self, query: RunQuery) -> pa.Table:
        """See `AgentStore.agent_figures`."""
        return self._parts.agent_figures.figures(query)

    def transfer_edges(self, query: TransferQuery) -> pa.Table:
        """See `AgentStore.transfer_edges`."""
        return self._parts.agent_figures.edges(query)

    def agent_spans(self, trace_ids: Sequence[bytes], limit: int) -> pa.Table:
        """See `AgentStore.agent_spans`."""
        return self._parts.agent_items.spans(trace_ids, limit)

    def conversations(self, query: ConversationQuery) -> pa.Table:
        """See `AgentStore.conversations`."""
        return self._parts.agent_figures.conversations(query)

    def traces_of_conversation(self, conversation_id: str, limit: int) -> list[bytes]:
        """See `AgentStore.traces_of_conversation`."""
        return self._parts.agent_items.of_conversation(conversation_id, limit)

    def count_days(self, table: ItemTable) -> dict[date, int]:
        """See `BulkReader.count_days`."""
        return self._parts.bulk.count_days(table)

    def count_steps(self, table: ItemTable, day: date) -> list[tuple[int, int]]:
        """See `BulkReader.count_steps`."""
        return self._parts.bulk.count_steps(table, day)

    def read_slice(self, table: ItemTable, day: date, time: TimeRange) -> Iterator[pa.Table]:
        """See `BulkReader.read_slice`."""
        return self._parts.bulk.read_slice(table, day, time)

    def agent_group_keys(self, after: str, limit: int) -> list[str]:
        """See `BulkReader.agent_group_keys`."""
        return self._parts.bulk.agent_group_keys(after, limit)

    def agent_group_rows(self, group_keys: Sequence[str]) -> tuple[pa.Table, pa.Table]:
        """See `BulkReader.agent_group_rows`."""
        return self._parts.bulk.agent_group_rows(group_keys)

    def size(self) -> StorageSize:
        """See `Storage.size`."""
        return self._parts.retention.size()

    def enforce_retention(self, policy: RetentionPolicy, now_unix_nano: int) -> list[str]:
        """See `Storage.enforce_retention`."""
        with self._parts.writer.paused():
            dropped = self._parts.retention.enforce(policy, now_unix_nano)
            if dropped:
                self._forget()
        return dropped

    def purge(self) -> None:
        """See `Storage.purge`."""
        with self._parts.writer.paused():
            self._parts.retention.purge()
            self._forget()
