"""The write side: contexts first, then the items, then what suggestions need; durable after each step."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from storage.api import Batch
from storage.clickhouse.catalogue import Catalogue
from storage.clickhouse.columns import AGENT_LOG_COLUMNS, AGENT_SPAN_COLUMNS, LOG_COLUMNS, SPAN_COLUMNS
from storage.clickhouse.contexts import Contexts
from storage.clickhouse.engine import Engine
from storage.clickhouse.histogram import Histogram
from storage.clickhouse.lookups import Lookups
from storage.clickhouse.once import insert_once
from storage.clickhouse.prepare import Prepared, one_chunk, prepare
from storage.clickhouse.removals import Removals
from storage.clickhouse.slices import slices
from storage.queries import Signal


class ClickHouseWriter:
    """`storage.api.Writer`. Nothing is remembered as written before its insert has returned."""

    def __init__(
        self,
        engine: Engine,
        contexts: Contexts,
        catalogue: Catalogue,
        histograms: tuple[Histogram, Histogram],
        lookups: Lookups,
        removals: Removals,
    ) -> None:
        self._engine, self._contexts, self._catalogue, self._lookups = engine, contexts, catalogue, lookups
        self._removals = removals
        self._span_times, self._log_times = histograms
        self._lock = threading.Lock()

    def write(self, batch: Batch) -> None:
        """See `storage.api.Writer.write`."""
        with self._lock:
            try:
                self._write(batch)
            except BaseException:
                self._lookups.forget()  # the small tables may or may not have changed
                raise

    def _write(self, batch: Batch) -> None:
        spans, logs = prepare(batch.spans), prepare(batch.logs)
        if self._removals.changed():
            self._forget_written()
        self._write_contexts(spans, logs)
        self._insert("spans", SPAN_COLUMNS, spans.rows, batch.id)
        self._span_times.add(spans.rows.column("start_time_unix_nano"))
        self._insert("logs", LOG_COLUMNS, logs.rows, batch.id)
        self._log_times.add(logs.rows.column("event_time_unix_nano"))
        self._insert("agent_spans", AGENT_SPAN_COLUMNS, one_chunk(batch.agent_spans), batch.id)
        self._insert("agent_logs", AGENT_LOG_COLUMNS, prepare(batch.agent_logs).rows, batch.id)
        if self._removals.changed():  # another process emptied tables meanwhile: what these items refer to may be gone
            self._forget_written()
            self._write_contexts(spans, logs)
        new_keys = (self._catalogue.write(Signal.TRACES, spans), self._catalogue.write(Signal.LOGS, logs))
        if any(new_keys):
            self._lookups.forget()

    def _write_contexts(self, spans: Prepared, logs: Prepared) -> None:
        new_contexts = [table.write(items) for items in (spans, logs) for table in self._contexts]
        if any(new_contexts):
            self._lookups.forget()

    def _forget_written(self) -> None:
        self._catalogue.clear()
        for table in self._contexts:
            table.clear()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Keep writes out while tables are emptied."""
        with self._lock:
            yield

    def _insert(self, table: str, columns: list[str], rows: pa.Table, batch: str) -> None:
        for number, part in enumerate(slices(rows)):
            token = f"{batch}:{table}:{number}" if number else f"{batch}:{table}"
            insert_once(self._engine, table, columns, part, token)
