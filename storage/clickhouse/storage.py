"""The whole store over one engine: wires the readers and the writer together."""

from collections.abc import Iterator, Sequence
from datetime import date

import pyarrow as pa

from storage.agents import AgenticItems, AgentStorage, ConversationQuery, RunQuery, TransferQuery
from storage.api import (
    Batch,
    Dependency,
    Level,
    LogPage,
    LogQuery,
    Operation,
    Overview,
    RetentionPolicy,
    Signal,
    SpanMetricsQuery,
    StorageSize,
    TimeRange,
    TraceMatch,
    TraceQuery,
)
from storage.bulk import ItemTable
from storage.clickhouse.agent_figures import AgentFigures
from storage.clickhouse.agent_rows import AgentRows
from storage.clickhouse.agents import AgentItems
from storage.clickhouse.bulk import BulkTables
from storage.clickhouse.catalogue import Catalogue
from storage.clickhouse.contexts import ContextTable
from storage.clickhouse.dependencies import DependencyCounts
from storage.clickhouse.engine import Engine
from storage.clickhouse.figures import Figures
from storage.clickhouse.histogram import Histogram
from storage.clickhouse.logs import LogTable
from storage.clickhouse.lookups import Lookups
from storage.clickhouse.migrations import migrate
from storage.clickhouse.removals import Removals
from storage.clickhouse.retention import Retention
from storage.clickhouse.search import TraceSearch
from storage.clickhouse.suggestions import Suggestions
from storage.clickhouse.traces import TraceTable
from storage.clickhouse.writer import ClickHouseWriter


def open_storage(engine: Engine) -> AgentStorage:
    """Migrate the engine's tables to this code's schema version and return the store over them, which owns it."""
    migrate(engine)
    return ClickHouseStorage(engine)


class ClickHouseStorage:
    """`storage.api.Storage` over ClickHouse."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._resources, self._scopes = ContextTable(engine, "resources"), ContextTable(engine, "scopes")
        self._catalogue, self._lookups = Catalogue(engine), Lookups(engine)
        self._span_times, self._log_times = Histogram(engine, "spans"), Histogram(engine, "logs")
        histograms = (self._span_times, self._log_times)
        for histogram in histograms:
            histogram.load()
        contexts = (self._resources, self._scopes)
        removals = Removals(engine)
        self._writer = ClickHouseWriter(engine, contexts, self._catalogue, histograms, self._lookups, removals)
        self._search = TraceSearch(engine, self._span_times, self._lookups)
        self._traces = TraceTable(engine, *contexts)
        self._logs = LogTable(engine, contexts, self._log_times, self._lookups)
        self._suggestions = Suggestions(engine, {Signal.TRACES: self._span_times, Signal.LOGS: self._log_times})
        self._figures = Figures(engine, self._span_times)
        self._dependencies = DependencyCounts(engine, self._span_times)
        self._retention = Retention(engine, removals)
        self._agent_items, self._agent_rows = AgentItems(engine, *contexts), AgentRows(engine)
        self._agent_figures, self._bulk = AgentFigures(engine), BulkTables(engine, *contexts)

    @property
    def engine(self) -> str:
        """See `Storage.engine`."""
        return self._engine.name

    def write(self, batch: Batch) -> None:
        """See `Writer.write`."""
        self._writer.write(batch)

    def find_traces(self, query: TraceQuery) -> list[TraceMatch]:
        """See `TraceReader.find_traces`."""
        return self._search.find(query)

    def get_traces(self, trace_ids: Sequence[bytes], columns: Sequence[str] | None = None) -> pa.Table:
        """See `TraceReader.get_traces`."""
        return self._traces.get(trace_ids, columns)

    def services(self) -> list[str]:
        """See `TraceReader.services`."""
        return self._suggestions.services()

    def operations(self, service_name: str | None = None, kind: int | None = None) -> list[Operation]:
        """See `TraceReader.operations`."""
        return self._suggestions.operations(service_name, kind)

    def attribute_keys(
        self, signal: Signal, level: Level = Level.ITEM, prefix: str = "", limit: int = 1000
    ) -> list[str]:
        """See `TraceReader.attribute_keys`."""
        return self._suggestions.attribute_keys(signal, level, prefix, limit)

    def attribute_values(
        self, signal: Signal, key: str, level: Level = Level.ITEM, prefix: str = "", limit: int = 100
    ) -> list[tuple[str, str]]:
        """See `TraceReader.attribute_values`."""
        return self._suggestions.attribute_values(signal, key, level, prefix, limit)

    def dependencies(self, time: TimeRange, service_name: str | None = None) -> list[Dependency]:
        """See `TraceReader.dependencies`."""
        return self._dependencies.count(time, service_name)

    def span_metrics(self, query: SpanMetricsQuery) -> pa.Table:
        """See `TraceReader.span_metrics`."""
        return self._figures.span_metrics(query)

    def overview(self, time: TimeRange) -> Overview:
        """See `TraceReader.overview`."""
        return self._figures.overview(time)

    def find_logs(self, query: LogQuery) -> LogPage:
        """See `LogReader.find_logs`."""
        return self._logs.find(query)

    def count_logs(self, query: LogQuery, step_ns: int) -> list[tuple[int, int, int]]:
        """See `LogReader.count_logs`."""
        return self._logs.count(query, step_ns)

    def agentic_since(self, batch_time_unix_nano: int, limit: int) -> AgenticItems:
        """See `AgentStore.agentic_since`."""
        return self._agent_items.since(batch_time_unix_nano, limit)

    def trace_joins(self, trace_ids: Sequence[bytes]) -> pa.Table:
        """See `AgentStore.trace_joins`."""
        return self._agent_items.joins(trace_ids)

    def traces_of_conversations(self, conversation_ids: Sequence[str], time: TimeRange) -> list[bytes]:
        """See `AgentStore.traces_of_conversations`."""
        return self._agent_items.of_conversations(conversation_ids, time)

    def traces_linking_to(self, trace_ids: Sequence[bytes]) -> list[bytes]:
        """See `AgentStore.traces_linking_to`."""
        return self._agent_items.linking_to(trace_ids)

    def agent_logs(self, trace_ids: Sequence[bytes]) -> pa.Table:
        """See `AgentStore.agent_logs`."""
        return self._agent_items.logs(trace_ids)

    def traceless_agent_logs(self, service_name: str, time: TimeRange) -> pa.Table:
        """See `AgentStore.traceless_agent_logs`."""
        return self._agent_items.traceless_logs(service_name, time)

    def replace_agent_rows(self, group_keys: Sequence[str], transfers: pa.Table, runs: pa.Table) -> None:
        """See `AgentStore.replace_agent_rows`."""
        self._agent_rows.replace(group_keys, transfers, runs)

    def find_transfers(self, query: TransferQuery) -> pa.Table:
        """See `AgentStore.find_transfers`."""
        return self._agent_rows.find_transfers(query)

    def find_runs(self, query: RunQuery) -> pa.Table:
        """See `AgentStore.find_runs`."""
        return self._agent_rows.find_runs(query)

    def agent_figures(self, query: RunQuery) -> pa.Table:
        """See `AgentStore.agent_figures`."""
        return self._agent_figures.figures(query)

    def transfer_edges(self, query: TransferQuery) -> pa.Table:
        """See `AgentStore.transfer_edges`."""
        return self._agent_figures.edges(query)

    def agent_spans(self, trace_ids: Sequence[bytes], limit: int) -> pa.Table:
        """See `AgentStore.agent_spans`."""
        return self._agent_items.spans(trace_ids, limit)

    def conversations(self, query: ConversationQuery) -> pa.Table:
        """See `AgentStore.conversations`."""
        return self._agent_figures.conversations(query)

    def traces_of_conversation(self, conversation_id: str, limit: int) -> list[bytes]:
        """See `AgentStore.traces_of_conversation`."""
        return self._agent_items.of_conversation(conversation_id, limit)

    def count_days(self, table: ItemTable) -> dict[date, int]:
        """See `BulkReader.count_days`."""
        return self._bulk.count_days(table)

    def count_steps(self, table: ItemTable, day: date) -> list[tuple[int, int]]:
        """See `BulkReader.count_steps`."""
        return self._bulk.count_steps(table, day)

    def read_slice(self, table: ItemTable, day: date, time: TimeRange) -> Iterator[pa.Table]:
        """See `BulkReader.read_slice`."""
        return self._bulk.read_slice(table, day, time)

    def agent_group_keys(self, after: str, limit: int) -> list[str]:
        """See `BulkReader.agent_group_keys`."""
        return self._bulk.agent_group_keys(after, limit)

    def agent_group_rows(self, group_keys: Sequence[str]) -> tuple[pa.Table, pa.Table]:
        """See `BulkReader.agent_group_rows`."""
        return self._bulk.agent_group_rows(group_keys)

    def ping(self) -> None:
        """See `Storage.ping`."""
        self._engine.query("SELECT 1")

    def size(self) -> StorageSize:
        """See `Storage.size`."""
        return self._retention.size()

    def enforce_retention(self, policy: RetentionPolicy, now_unix_nano: int) -> list[str]:
        """See `Storage.enforce_retention`."""
        with self._writer.paused():
            dropped = self._retention.enforce(policy, now_unix_nano)
            if dropped:
                self._forget()
        return dropped

    def purge(self) -> None:
        """See `Storage.purge`."""
        with self._writer.paused():
            self._retention.purge()
            self._forget()

    def close(self) -> None:
        """See `Storage.close`."""
        self._engine.close()

    def _forget(self) -> None:
        self._lookups.forget()
        self._dependencies.forget()
        self._catalogue.clear()
        self._resources.clear()
        self._scopes.clear()
        for histogram in (self._span_times, self._log_times):
            histogram.load()
