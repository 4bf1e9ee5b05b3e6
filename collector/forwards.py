"""The exporters that send telemetry on: from the configuration to running forwarders."""

import ssl
from collections.abc import Mapping
from datetime import datetime

import grpc

from collector import settings
from collector.config.forwarding import ClientTls, Forwarding, OtlpExporter, OtlpHttpExporter, ZipkinExporter
from collector.config.model import Config, component_type
from collector.forwarding.forwarder import Forwarder, ForwardStatus
from collector.forwarding.queue import ForwardQueue
from collector.forwarding.renewing import RenewingClient
from collector.forwarding.tls_files import ClientTlsFiles, ClientTlsSettings, LoadedClientTls
from collector.journal.journal import Segment
from collector.renewal import UnusableFiles
from exporters.delivery import Client
from exporters.forward_otlp.grpc_client import OtlpGrpcClient, OtlpGrpcEndpoint
from exporters.forward_otlp.http_client import OtlpHttpClient
from exporters.http_client import HttpEndpoint
from exporters.zipkin.client import ZipkinClient
from storage.queries import Signal


class Forwards:
    """Every exporter of the pipelines that sends on. `close` once; what is not delivered waits for the next start."""

    def __init__(self, config: Config) -> None:
        """Open the queues and start to empty them. Raises: OSError, ValueError."""
        self._queues: list[ForwardQueue] = []
        self._forwarders: dict[str, Forwarder] = {}
        self._tls: dict[str, ClientTlsFiles] = {}
        for name, signals in _used(config).items():
            written = config.exporters[name]
            if isinstance(written, Forwarding):
                files = _tls_files(name, written)
                if files is not None:
                    self._tls[name] = files
                # Inside the journal's folder, because files are taken over by hard links.
                folder = settings.journal_directory(config) / "forward" / name.replace("/", "_")
                queue = ForwardQueue(folder, written.sending_queue.max_size, signals)
                self._queues.append(queue)
                self._forwarders[name] = Forwarder(name, queue, _client(written, signals, files))
        for forwarder in self._forwarders.values():
            forwarder.start()

    def take(self, segment: Segment) -> bool:
        """Offer a stored segment to every queue; True when one shares its file."""
        return any([queue.take(segment) for queue in self._queues])  # noqa: C419 (every queue must see it)

    def status(self) -> Mapping[str, ForwardStatus]:
        """Return how each exporter does."""
        return {name: forwarder.status for name, forwarder in self._forwarders.items()}

    def certificates(self) -> Mapping[str, datetime]:
        """Return when the certificate ends that each exporter shows, of those that show one."""
        expiries = {name: files.current().expires for name, files in self._tls.items()}
        return {name: expires for name, expires in expiries.items() if expires is not None}

    def dead_threads(self) -> list[str]:
        """Return the names of exporters that should run and do not."""
        return [f"exporter {name}" for name, forwarder in self._forwarders.items() if not forwarder.is_alive]

    def close(self) -> None:
        """End after the messages under way."""
        for forwarder in self._forwarders.values():
            forwarder.close()


def _used(config: Config) -> dict[str, frozenset[Signal]]:
    """Return the signals that each exporter gets."""
    used: dict[str, frozenset[Signal]] = {}
    for pipeline_name, pipeline in config.service.pipelines.items():
        for name in pipeline.exporters:
            used[name] = used.get(name, frozenset()) | {Signal(component_type(pipeline_name))}
    return used


def _tls_files(name: str, written: Forwarding) -> ClientTlsFiles | None:
    """Return what an exporter's connections are made with, None for plain text. Raises: ValueError."""
    if isinstance(written, OtlpExporter) and written.tls.insecure:
        return None
    try:
        return ClientTlsFiles(_tls(written.tls))
    except UnusableFiles as error:
        raise ValueError(f"exporters.{name}.tls: {error}") from error


def _client(written: Forwarding, signals: frozenset[Signal], files: ClientTlsFiles | None) -> Client:
    if files is not None:
        return RenewingClient(files, lambda tls: _connected(written, signals, tls))
    assert isinstance(written, OtlpExporter)
    return OtlpGrpcClient(_grpc(written, None), signals)


def _connected(written: Forwarding, signals: frozenset[Signal], tls: LoadedClientTls) -> Client:
    if isinstance(written, OtlpExporter):
        return OtlpGrpcClient(_grpc(written, grpc.ssl_channel_credentials(tls.ca, tls.key, tls.certificates)), signals)
    if isinstance(written, OtlpHttpExporter):
        return OtlpHttpClient(_http(written, written.endpoint, tls.context), signals)
    assert isinstance(written, ZipkinExporter)
    return ZipkinClient(_http(written, written.endpoint, tls.context))


def _tls(written: ClientTls) -> ClientTlsSettings:
    interval = written.reload_interval.total_seconds()
    return ClientTlsSettings(written.ca_file, written.cert_file, written.key_file, interval)


def _grpc(written: OtlpExporter, credentials: grpc.ChannelCredentials | None) -> OtlpGrpcEndpoint:
    timeout = written.timeout.total_seconds()
    return OtlpGrpcEndpoint(written.endpoint, credentials, _headers(written), written.compression, timeout)


def _http(written: Forwarding, url: str, context: ssl.SSLContext) -> HttpEndpoint:
    timeout = written.timeout.total_seconds()
    return HttpEndpoint(url.rstrip("/"), _headers(written), written.compression, timeout, context)


def _headers(written: Forwarding) -> dict[str, str]:
    return {name: value.get_secret_value() for name, value in written.headers.items()}
