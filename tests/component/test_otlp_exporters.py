"""The standard Python exporters against the receivers: what they send is stored, and they obey what they are told."""

import ssl
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import trustme
from grpc_health.v1 import health_pb2, health_pb2_grpc
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetrics
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcTraces
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetrics
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpTraces
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter

from collector.errors import Refused
from collector.loop_thread import LoopThread
from collector.pipeline.api import Ingest, Outcome, Request
from collector.receivers.auth import ApiKeys
from collector.receivers.errors import ListenError
from collector.receivers.otlp_grpc import OtlpGrpcReceiver
from collector.receivers.otlp_http import OtlpHttpReceiver
from collector.receivers.settings import GrpcSettings, HttpSettings, TlsSettings
from storage.queries import Signal
from tests.receiving import Received

RESOURCE = Resource({"service.name": "shop"})
GRPC_KINDS = [grpc.Compression.NoCompression, grpc.Compression.Gzip, grpc.Compression.Deflate]


@contextmanager
def grpc_receiver(ingest: Ingest, auth: ApiKeys | None = None, tls: TlsSettings | None = None) -> Iterator[int]:
    with LoopThread("test-grpc") as thread:
        receiver = OtlpGrpcReceiver(GrpcSettings("localhost", 0, tls=tls), ingest, thread, auth)
        receiver.start()
        try:
            yield receiver.port
        finally:
            receiver.close(1.0)


@contextmanager
def http_receiver(ingest: Ingest, auth: ApiKeys | None = None, tls: TlsSettings | None = None) -> Iterator[int]:
    receiver = OtlpHttpReceiver(HttpSettings("localhost", 0, tls=tls), ingest, auth)
    receiver.start()
    try:
        yield receiver.port
    finally:
        receiver.close(1.0)


def send_span(exporter: SpanExporter, name: str) -> None:
    provider = TracerProvider(resource=RESOURCE)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("scope", "1").start_as_current_span(name, attributes={"int": 1, "texts": ["a", "b"]}):
        pass
    provider.shutdown()


def send_log(exporter: Any, body: str) -> None:
    provider = LoggerProvider(resource=RESOURCE)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    provider.get_logger("scope").emit(LogRecord(timestamp=1_800_000_000 * 10**9, body=body, attributes={"k": 1.5}))
    provider.shutdown()


def send_metric(exporter: Any) -> None:
    provider = MeterProvider([PeriodicExportingMetricReader(exporter)], RESOURCE)
    provider.get_meter("scope").create_counter("orders").add(1)
    provider.shutdown()


def test_grpc_exporters_send_all_three_signals(received: Received, caplog: pytest.LogCaptureFixture) -> None:
    with grpc_receiver(received.ingest) as port:
        endpoint = f"http://localhost:{port}"
        for kind in GRPC_KINDS:
            send_span(GrpcTraces(endpoint=endpoint, compression=kind), kind.name)
        send_log(GrpcLogs(endpoint=endpoint), "hello")
        assert caplog.records == []
        send_metric(GrpcMetrics(endpoint=endpoint))
    assert sorted(received.spans()["name"].to_pylist()) == ["Deflate", "Gzip", "NoCompression"]
    assert received.spans()["service_name"].to_pylist() == ["shop"] * 3
    assert received.logs()["body"].to_pylist() == [b"hello"]


def test_http_exporters_send_all_three_signals(received: Received, caplog: pytest.LogCaptureFixture) -> None:
    with http_receiver(received.ingest) as port:
        endpoint = f"http://localhost:{port}/v1"
        for kind in Compression:
            send_span(HttpTraces(endpoint=f"{endpoint}/traces", compression=kind), kind.name)
        send_log(HttpLogs(endpoint=f"{endpoint}/logs"), "hello")
        assert caplog.records == []
        send_metric(HttpMetrics(endpoint=f"{endpoint}/metrics"))
    assert sorted(received.spans()["name"].to_pylist()) == sorted(kind.name for kind in Compression)
    assert received.logs()["body"].to_pylist() == [b"hello"]


def test_exporters_with_keys(received: Received, caplog: pytest.LogCaptureFixture) -> None:
    auth = ApiKeys(["right"])
    with grpc_receiver(received.ingest, auth) as grpc_port, http_receiver(received.ingest, auth) as http_port:
        over_grpc, over_http = f"http://localhost:{grpc_port}", f"http://localhost:{http_port}/v1/traces"
        send_span(GrpcTraces(endpoint=over_grpc, headers={"authorization": "Bearer right"}), "grpc")
        send_span(HttpTraces(endpoint=over_http, headers={"x-api-key": "right"}), "http")
        assert caplog.records == []
        send_span(GrpcTraces(endpoint=over_grpc), "lost")
        send_span(HttpTraces(endpoint=over_http, headers={"authorization": "Bearer wrong"}), "lost")
        assert len(caplog.records) >= 2
    assert sorted(received.spans()["name"].to_pylist()) == ["grpc", "http"]


class RefusesFirst:
    """An Ingest that refuses the first request it is offered and hands the others on."""

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest
        self.refused = 0

    def submit(self, request: Request) -> "Future[Outcome]":
        if not self.refused:
            self.refused += 1
            raise Refused("not now", 1.0)
        return self._ingest.submit(request)

    def count_undecodable(self, signal: Signal, transport: str, reason: str) -> None:
        raise AssertionError(reason)


def test_a_refused_export_is_sent_again_after_the_hint(received: Received) -> None:
    over_grpc, over_http = RefusesFirst(received.ingest), RefusesFirst(received.ingest)
    with grpc_receiver(over_grpc) as grpc_port, http_receiver(over_http) as http_port:
        for exporter in (
            GrpcTraces(endpoint=f"http://localhost:{grpc_port}"),
            HttpTraces(endpoint=f"http://localhost:{http_port}/v1/traces"),
        ):
            started = time.monotonic()
            send_span(exporter, "again")
            assert 0.9 < time.monotonic() - started < 5
    assert (over_grpc.refused, over_http.refused) == (1, 1)
    assert received.spans()["name"].to_pylist() == ["again", "again"]


@pytest.fixture(autouse=True)
def no_certificates_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # they would overrule the exporter's own setting
        monkeypatch.delenv(name, raising=False)


@dataclass(frozen=True)
class Certificates:
    """Files of a server certificate for localhost, its CA, and a client certificate of the same CA."""

    server: TlsSettings
    ca: Path
    client_cert: Path
    client_key: Path

    @property
    def mutual(self) -> TlsSettings:
        return replace(self.server, client_ca_file=self.ca)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    server, client = authority.issue_cert("localhost"), authority.issue_cert("client@example.com")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    for name, issued in (("server", server), ("client", client)):
        issued.private_key_pem.write_to_path(folder / f"{name}.key")
        issued.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
    tls = TlsSettings(folder / "server.pem", folder / "server.key")
    return Certificates(tls, folder / "ca.pem", folder / "client.pem", folder / "client.key")


def test_tls(received: Received, certificates: Certificates) -> None:
    trust = grpc.ssl_channel_credentials(certificates.ca.read_bytes())
    with (
        grpc_receiver(received.ingest, tls=certificates.server) as grpc_port,
        http_receiver(received.ingest, tls=certificates.server) as http_port,
    ):
        send_span(GrpcTraces(endpoint=f"https://localhost:{grpc_port}", credentials=trust), "grpc")
        endpoint = f"https://localhost:{http_port}/v1/traces"
        send_span(HttpTraces(endpoint=endpoint, certificate_file=str(certificates.ca)), "http")
        with pytest.raises(httpx.TransportError):
            httpx.post(f"http://localhost:{http_port}/v1/traces")
    assert sorted(received.spans()["name"].to_pylist()) == ["grpc", "http"]


def test_mutual_tls_turns_clients_without_a_certificate_away(received: Received, certificates: Certificates) -> None:
    ca, key, cert = (path.read_bytes() for path in (certificates.ca, certificates.client_key, certificates.client_cert))
    with (
        grpc_receiver(received.ingest, tls=certificates.mutual) as grpc_port,
        http_receiver(received.ingest, tls=certificates.mutual) as http_port,
    ):
        over_grpc, over_http = f"https://localhost:{grpc_port}", f"https://localhost:{http_port}/v1/traces"
        send_span(GrpcTraces(endpoint=over_grpc, credentials=grpc.ssl_channel_credentials(ca, key, cert)), "grpc")
        send_span(
            HttpTraces(
                endpoint=over_http,
                certificate_file=str(certificates.ca),
                client_key_file=str(certificates.client_key),
                client_certificate_file=str(certificates.client_cert),
            ),
            "http",
        )
        with pytest.raises(httpx.TransportError):
            httpx.post(over_http, verify=ssl.create_default_context(cafile=certificates.ca))
        with grpc.secure_channel(f"localhost:{grpc_port}", grpc.ssl_channel_credentials(ca)) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            with pytest.raises(grpc.RpcError) as caught:
                health.Check(health_pb2.HealthCheckRequest(), timeout=5)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert sorted(received.spans()["name"].to_pylist()) == ["grpc", "http"]


def test_tls_files_that_cannot_be_used_are_an_error_at_the_start(received: Received, tmp_path: Path) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    for tls in (TlsSettings(tmp_path / "none.pem", tmp_path / "none.key"), TlsSettings(junk, junk)):
        with LoopThread("test-grpc") as thread:
            for receiver in (
                OtlpGrpcReceiver(GrpcSettings("127.0.0.1", 0, tls=tls), received.ingest, thread),
                OtlpHttpReceiver(HttpSettings("127.0.0.1", 0, tls=tls), received.ingest),
            ):
                with pytest.raises(ListenError, match=r"TLS"):
                    receiver.start()
                receiver.close()
