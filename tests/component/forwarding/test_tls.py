"""TLS files of exporters that change while these send: real receivers that ask for certificates."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from prometheus_client import CollectorRegistry

from collector.config.load import load
from collector.config.model import Config
from collector.forwarding.forwarder import ForwardStatus
from collector.forwarding.metrics import ForwardCollector
from collector.forwards import Forwards
from collector.loop_thread import LoopThread
from collector.receivers.otlp_grpc import OtlpGrpcReceiver
from collector.receivers.otlp_http import OtlpHttpReceiver
from collector.receivers.settings import GrpcSettings, HttpSettings, TlsSettings
from storage.queries import Signal
from tests.component.forwarding.relay import sending, submit
from tests.receiving import Received, receiving, traces_request
from tests.waiting import until

KINDS = {"otlp": "localhost:{}", "otlphttp": "https://localhost:{}"}


@pytest.fixture
def down(tmp_path: Path) -> Iterator[Received]:
    with receiving(tmp_path / "down") as received:
        yield received


@contextmanager
def mutual(kind: str, down: Received, tls: TlsSettings) -> Iterator[str]:
    """Run a receiver; give its endpoint."""
    with LoopThread("test-grpc") as thread:
        receiver: OtlpGrpcReceiver | OtlpHttpReceiver
        if kind == "otlp":
            receiver = OtlpGrpcReceiver(GrpcSettings("localhost", 0, tls=tls), down.ingest, thread)
        else:
            receiver = OtlpHttpReceiver(HttpSettings("localhost", 0, tls=tls), down.ingest)
        receiver.start()
        try:
            yield KINDS[kind].format(receiver.port)
        finally:
            receiver.close(1.0)


def put(folder: Path, authority: trustme.CA, name: str, hours: int = 24) -> TlsSettings:
    """Write a CA, and a certificate and key of it, each file at once, one after the other."""
    issued = authority.issue_cert(name, not_after=datetime.fromtimestamp(time.time() + hours * 3600, UTC))
    contents = {
        "ca.pem": authority.cert_pem.bytes(),
        "cert.pem": issued.cert_chain_pems[0].bytes(),
        "key.pem": issued.private_key_pem.bytes(),
    }
    folder.mkdir(exist_ok=True)
    for file, content in contents.items():
        (folder / "new").write_bytes(content)
        (folder / "new").replace(folder / file)
    return TlsSettings(folder / "cert.pem", folder / "key.pem", folder / "ca.pem", reload_seconds=0.01)


def config(folder: Path, kind: str, endpoint: str) -> Config:
    files = {f"{name}_file": str(folder / "own" / f"{name}.pem") for name in ("ca", "cert", "key")}
    exporter = {"endpoint": endpoint, "timeout": "2s", "tls": {**files, "reload_interval": "1ms"}}
    pipeline = {"receivers": ["otlp"], "exporters": ["storage", f"{kind}/down"]}
    pipelines = {"traces": pipeline, "logs": pipeline}
    options = [f"exporters.{kind}/down={json.dumps(exporter)}", f"service.pipelines={json.dumps(pipelines)}"]
    return load([], options, {}, {"service.data_dir": str(folder / "data")})


def status(forwards: Forwards) -> ForwardStatus:
    (only,) = forwards.status().values()
    return only


def expiry_seconds(forwards: Forwards, exporter: str) -> float:
    registry = CollectorRegistry()
    registry.register(ForwardCollector(forwards.status, forwards.certificates))
    return registry.get_sample_value("baton_forward_certificate_expiry_seconds", {"exporter": exporter}) or 0.0


@pytest.mark.parametrize("kind", KINDS)
def test_a_receiver_that_trusts_another_ca_by_now_is_reached_once_the_files_are_renewed(
    tmp_path: Path, down: Received, kind: str
) -> None:
    old, new = trustme.CA(), trustme.CA()
    theirs = put(tmp_path / "theirs", old, "localhost")
    put(tmp_path / "own", old, "baton.example.com")
    with mutual(kind, down, theirs) as endpoint:
        forwards = Forwards(config(tmp_path, kind, endpoint))
        try:
            with sending(tmp_path / "up", forwards) as ingest:
                submit(ingest, Signal.TRACES, traces_request(3, 1))
                until(lambda: status(forwards).delivered == 3)
                put(tmp_path / "theirs", new, "localhost")
                put(tmp_path / "own", new, "baton.example.com", hours=1)
                submit(ingest, Signal.TRACES, traces_request(4, 2))
                until(lambda: status(forwards).delivered == 7)
                assert 3500 < expiry_seconds(forwards, f"{kind}/down") <= 3600
        finally:
            forwards.close()
    assert down.spans().num_rows == 7


@pytest.mark.parametrize("kind", KINDS)
def test_a_certificate_that_is_not_trusted_is_waited_out(tmp_path: Path, down: Received, kind: str) -> None:
    old, new = trustme.CA(), trustme.CA()
    put(tmp_path / "own", old, "baton.example.com")
    with mutual(kind, down, put(tmp_path / "theirs", new, "localhost")) as endpoint:
        forwards = Forwards(config(tmp_path, kind, endpoint))
        try:
            with sending(tmp_path / "up", forwards) as ingest:
                submit(ingest, Signal.TRACES, traces_request(3))
                until(lambda: status(forwards).failing_since is not None)
                put(tmp_path / "own", new, "baton.example.com")
                until(lambda: status(forwards).delivered == 3)
        finally:
            forwards.close()
    assert down.spans().num_rows == 3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("broken", ["ca", "cert", "key"])
def test_files_that_cannot_be_used_are_an_error_at_the_start(tmp_path: Path, kind: str, broken: str) -> None:
    put(tmp_path / "own", trustme.CA(), "baton.example.com")
    (tmp_path / "own" / f"{broken}.pem").write_text("junk")
    with pytest.raises(ValueError, match=rf"exporters\.{kind}/down\.tls: TLS files? .* cannot be used"):
        Forwards(config(tmp_path, kind, KINDS[kind].format(1)))
