"""What Baton measures about itself, for Prometheus. docs/metrics.md explains each name; a test compares the two.

Most figures are read when somebody scrapes; only durations are noted as things happen.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, Info, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from collector.pipeline.ledger import DUPLICATE
from collector.state import ServiceState
from storage.api import Batch, Writer
from storage.queries import Signal

_ITEMS = {Signal.TRACES: "spans", Signal.LOGS: "log_records"}
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """Owns the registry. Thread-safe."""

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        Info("baton_build", "Version that runs.", registry=self.registry).info({"version": version})
        self._requests = Histogram(
            "baton_http_request_seconds",
            "Time to answer a request of the HTTP API.",
            ("route", "status"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._inserts = Histogram(
            "baton_storage_insert_seconds", "Time of one storage write.", buckets=_SECONDS, registry=self.registry
        )
        self._rows = Counter(
            "baton_storage_inserted_rows", "Rows given to storage.", ("signal",), registry=self.registry
        )
        self._failures = Counter("baton_storage_insert_failures", "Storage writes that failed.", registry=self.registry)

    def watch(self, state: Callable[[], ServiceState], ledger: Callable[[], Mapping[str, Any]]) -> None:
        """Report the service's state and the loss ledger at each scrape."""
        self.registry.register(_ServiceCollector(state, ledger))

    def http_request(self, route: str, status: int, seconds: float) -> None:
        """Note an answered request. `route` is the route's template, never the path."""
        self._requests.labels(route, str(status)).observe(seconds)

    def timed(self, writer: Writer) -> Writer:
        """Return a writer that notes how long each write takes."""
        return _TimedWriter(writer, self._inserts, self._rows, self._failures)


class _TimedWriter:
    def __init__(self, writer: Writer, seconds: Histogram, rows: Counter, failures: Counter) -> None:
        self._writer = writer
        self._seconds = seconds
        self._rows = rows
        self._failures = failures

    def write(self, batch: Batch) -> None:
        """See `Writer.write`."""
        started = time.perf_counter()
        with self._failures.count_exceptions():
            self._writer.write(batch)
        self._seconds.observe(time.perf_counter() - started)
        self._rows.labels(Signal.TRACES.value).inc(batch.spans.num_rows)
        self._rows.labels(Signal.LOGS.value).inc(batch.logs.num_rows)


class _ServiceCollector(Collector):
    """Reads state and ledger at each scrape."""

    def __init__(self, state: Callable[[], ServiceState], ledger: Callable[[], Mapping[str, Any]]) -> None:
        self._state = state
        self._ledger = ledger

    def collect(self) -> Iterator[Metric]:
        state = self._state()
        for name, help_text, value in (
            ("baton_journal_bytes", "Bytes in the journal that storage does not have yet.", state.journal_bytes),
            ("baton_journal_cap_bytes", "Bytes at which requests are refused.", state.journal_cap_bytes),
            ("baton_journal_writable", "1 when the journal can be written.", int(not state.journal_error)),
            (
                "baton_oldest_unstored_seconds",
                "Age of the oldest acknowledged request that storage does not have yet.",
                state.oldest_unstored_seconds,
            ),
            (
                "baton_storage_failing_seconds",
                "For how long storage writes have been failing; 0 when they work.",
                state.store_failing_seconds,
            ),
            ("baton_waiting_batches", "Closed batches that wait to be stored.", state.waiting_batches),
            ("baton_quarantined_batches", "Batches that storage refuses for good.", state.quarantined_batches),
            ("baton_draining", "1 while the service shuts down.", int(state.draining)),
        ):
            yield GaugeMetricFamily(name, help_text, value=value)
        yield from _ledger_metrics(self._ledger())


def _ledger_metrics(ledger: Mapping[str, Any]) -> Iterator[Metric]:
    received = CounterMetricFamily("baton_items_received", "Items received.", labels=("signal",))
    stored = CounterMetricFamily("baton_items_stored", "Items stored.", labels=("signal",))
    rejected = CounterMetricFamily("baton_items_rejected", "Items rejected for good.", labels=("signal", "reason"))
    undecodable = CounterMetricFamily(
        "baton_requests_undecodable", "Requests whose items cannot be counted.", labels=("signal", "reason")
    )
    pending = GaugeMetricFamily("baton_items_pending", "Items acknowledged and not stored yet.", labels=("signal",))
    for signal, items in _ITEMS.items():
        totals = ledger[signal.value]
        received.add_metric((signal.value,), totals["received"])
        stored.add_metric((signal.value,), totals["stored"])
        pending.add_metric((signal.value,), totals["pending"])
        for reason, count in totals["rejected"].items():
            rejected.add_metric((signal.value, reason), count)
        for reason, count in totals["undecodable_requests"].items():
            undecodable.add_metric((signal.value, reason), count)
        # The Collector's own names; what we reject or refuse did not get into the pipeline there either. A duplicate,
        # which its sender is told was taken, would have.
        failed = sum(count for reason, count in totals["rejected"].items() if reason != DUPLICATE)
        for name, help_text, value in (
            (f"otelcol_receiver_accepted_{items}", "Items taken into the pipeline.", totals["received"] - failed),
            (f"otelcol_receiver_refused_{items}", "Items refused or rejected.", totals["refused"] + failed),
        ):
            metric = CounterMetricFamily(name, help_text, labels=("receiver",))
            metric.add_metric(("otlp",), value)
            yield metric
    yield from (received, stored, rejected, undecodable, pending)
