"""The whole store over one engine: wires the readers and the writer together."""

from storage.agents import AgentStorage
from storage.clickhouse.agent_figures import AgentFigures
from storage.clickhouse.agent_rows import AgentRows
from storage.clickhouse.agents import AgentItems
from storage.clickhouse.bulk import BulkTables
from storage.clickhouse.catalogue import Catalogue
from storage.clickhouse.contexts import Contexts, ContextTable
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
from storage.parts import Parts
from storage.queries import Signal
from storage.store import Store


def open_storage(engine: Engine) -> AgentStorage:
    """Migrate the engine's tables to this code's schema version and return the store over them, which owns it."""
    migrate(engine)
    return ClickHouseStorage(engine)


class ClickHouseStorage(Store):
    """`storage.agents.AgentStorage` over ClickHouse."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._contexts = Contexts(ContextTable(engine, "resources"), ContextTable(engine, "scopes"))
        self._catalogue, self._lookups = Catalogue(engine), Lookups(engine)
        span_times, log_times = self._histograms = (Histogram(engine, "spans"), Histogram(engine, "logs"))
        for histogram in self._histograms:
            histogram.load()
        self._dependencies = DependencyCounts(engine, span_times)
        removals = Removals(engine)
        parts = Parts(
            writer=ClickHouseWriter(engine, self._contexts, self._catalogue, self._histograms, self._lookups, removals),
            search=TraceSearch(engine, span_times, self._lookups),
            traces=TraceTable(engine, self._contexts),
            suggestions=Suggestions(engine, {Signal.TRACES: span_times, Signal.LOGS: log_times}),
            dependencies=self._dependencies,
            figures=Figures(engine, span_times),
            logs=LogTable(engine, self._contexts, log_times, self._lookups),
            agent_items=AgentItems(engine, self._contexts),
            agent_rows=AgentRows(engine),
            agent_figures=AgentFigures(engine),
            bulk=BulkTables(engine, self._contexts),
            retention=Retention(engine, removals),
        )
        super().__init__(parts)

    @property
    def engine(self) -> str:
        """See `Storage.engine`."""
        return self._engine.name

    def ping(self) -> None:
        """See `Storage.ping`."""
        self._engine.query("SELECT 1")

    def close(self) -> None:
        """See `Storage.close`."""
        self._engine.close()

    def _forget(self) -> None:
        self._lookups.forget()
        self._dependencies.forget()
        self._catalogue.clear()
        for table in self._contexts:
            table.clear()
        for histogram in self._histograms:
            histogram.load()
