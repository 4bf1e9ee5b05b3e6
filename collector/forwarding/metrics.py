"""How forwarding does, for /metrics."""

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from collector.forwarding.forwarder import ForwardStatus


class ForwardCollector(Collector):
    """Reads the statuses, and when certificates end, at each scrape, by exporter."""

    def __init__(
        self, statuses: Callable[[], Mapping[str, ForwardStatus]], certificates: Callable[[], Mapping[str, datetime]]
    ) -> None:
        self._statuses, self._certificates = statuses, certificates

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
        expiry = GaugeMetricFamily(
            "baton_forward_certificate_expiry_seconds",
            "Time until the certificate that is shown to the receiver expires; negative once it has.",
            labels=label,
        )
        for name, expires in self._certificates().items():
            expiry.add_metric((name,), expires.timestamp() - time.time())
        yield from (queued, failing, delivered, rejected, dropped, expiry)
