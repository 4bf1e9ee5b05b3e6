"""When the certificates of listeners end, for /metrics."""

import time
from collections.abc import Callable, Iterator, Mapping

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from collector.receivers.tls_files import TlsFiles


class CertificateCollector(Collector):
    """Looks at the certificates in use at each scrape, by the address that shows them."""

    def __init__(self, listeners: Callable[[], Mapping[str, TlsFiles]]) -> None:
        self._listeners = listeners

    def collect(self) -> Iterator[Metric]:
        """Yield the one gauge, with nothing in it when no listener has TLS."""
        expiry = GaugeMetricFamily(
            "baton_tls_certificate_expiry_seconds",
            "Time until the certificate in use expires; negative once it has.",
            labels=("endpoint",),
        )
        for endpoint, files in self._listeners().items():
            expiry.add_metric((endpoint,), files.current().expires.timestamp() - time.time())
        yield expiry
