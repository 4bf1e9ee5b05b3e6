"""How forwarding does, for /metrics."""

import time
from collections.abc import Callable, Iterator, Mapping

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from collector.forwarding.forwarder import ForwardStatus


class ForwardCollector(Collector):
    """Reads the statuses at each scrape, by exporter."""

    def __init__(self, statuses: Callable[[], Mapping[str, ForwardStatus]]) -> None:
        self._statuses = statuses

    def collect(self) -> Iterator[Metric]:
        """Yield a gauge or counter for each figure."""
        label = ("exporter",)
        queued = GaugeMetricFamily("baton_forward_queued_bytes", "Bytes that wait to be delivered.", labels=label)
        failing = GaugeMetricFamily(
            "baton_forward_failing_seconds",
            "For how long deliveries have been failing; 0 when they work.",
            labels=label,
        )
        delivered = CounterMetricFamily("baton_forward_delivered", "Items delivered.", labels=label)
        rejected = CounterMetricFamily("baton_forward_rejected", "Items the receiver will never take.", labels=label)
        dropped = CounterMetricFamily("baton_forward_dropped", "Items that found no room in the queue.", labels=label)
        for name, status in self._statuses().items():
            queued.add_metric((name,), status.queued_bytes)
            failing.add_metric((name,), time.time() - status.failing_since if status.failing_since else 0.0)
            delivered.add_metric((name,), status.delivered)
            rejected.add_metric((name,), status.rejected)
            dropped.add_metric((name,), status.dropped)
        yield from (queued, failing, delivered, rejected, dropped)
