"""The whole store over one database: wires the readers and the writer together."""

import contextlib

from storage.agents import AgentStorage
from storage.parts import Parts
from storage.postgres.agent_figures import AgentFigures
from storage.postgres.agent_rows import AgentRows
from storage.postgres.agents import AgentItems
from storage.postgres.bulk import BulkTables
from storage.postgres.catalogue import Catalogue, shape_entry
from storage.postgres.contexts import ById
from storage.postgres.database import Database
from storage.postgres.decoding import Decoder, context_entry
from storage.postgres.dependencies import DependencyCounts
from storage.postgres.figures import Figures
from storage.postgres.histogram import Histogram
from storage.postgres.logs import LogTable
from storage.postgres.migrations import migrate
from storage.postgres.partitions import Partitions
from storage.postgres.retention import Retention
from storage.postgres.search import TraceSearch
from storage.postgres.settings import PostgresSettings
from storage.postgres.suggestions import Suggestions
from storage.postgres.timescale import Hypertables
from storage.postgres.traces import TraceTable
from storage.postgres.writer import PostgresWriter
from storage.queries import Signal
from storage.store import Store


def open_postgres(settings: PostgresSettings) -> AgentStorage:
    """Connect, bring the tables to this code's schema version and return the store, which owns the connections.

    Raises: StorageUnavailable when the server cannot be reached or used; StorageRejected when it is too old for this
    code, or the store too new.
    """
    database = Database(settings)
    with contextlib.ExitStack() as undo:
        undo.callback(database.close)
        migrate(database)
        storage = PostgresStorage(database)
        undo.pop_all()
    return storage


class PostgresStorage(Store):
    """`storage.agents.AgentStorage` over PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database
        hypertables = Hypertables(database)
        partitions = Partitions(database, hypertables)
        resources = ById(database, "resources", "context", context_entry)
        scopes = ById(database, "scopes", "context", context_entry)
        shapes = ById(database, "shapes", "keys, types", shape_entry)
        self._entries = (resources, scopes, shapes)
        span_times, log_times = self._histograms = (Histogram(database, "spans"), Histogram(database, "logs"))
        for histogram in self._histograms:
            histogram.load()
        times = {Signal.TRACES: span_times, Signal.LOGS: log_times}
        decoder = Decoder(shapes, resources, scopes)
        self._writer = PostgresWriter(database, partitions, Catalogue(database), times)
        parts = Parts(
            writer=self._writer,
            search=TraceSearch(database, span_times),
            traces=TraceTable(database, decoder),
            suggestions=Suggestions(database, times),
            dependencies=DependencyCounts(database, span_times),
            figures=Figures(database),
            logs=LogTable(database, decoder, log_times, hypertables.tie),
            agent_items=AgentItems(database, decoder),
            agent_rows=AgentRows(database, partitions),
            agent_figures=AgentFigures(database),
            bulk=BulkTables(database, decoder),
            retention=Retention(database, partitions),
        )
        super().__init__(parts)

    @property
    def engine(self) -> str:
        """See `Storage.engine`."""
        return self._database.name

    def ping(self) -> None:
        """See `Storage.ping`."""
        self._database.query("SELECT 1")

    def close(self) -> None:
        """See `Storage.close`."""
        self._database.close()

    def _forget(self) -> None:
        self._writer.forget()
        for table in self._entries:
            table.forget()
        for histogram in self._histograms:
            histogram.load()
