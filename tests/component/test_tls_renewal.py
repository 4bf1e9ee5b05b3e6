"""TLS files that change while listeners serve: real handshakes with each receiver."""

import socket
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import grpc
import httpx
import pytest
import trustme
from grpc_health.v1 import health_pb2, health_pb2_grpc
from structlog.testing import capture_logs

from collector.loop_thread import LoopThread
from collector.receivers.otlp_grpc import OtlpGrpcReceiver
from collector.receivers.otlp_http import OtlpHttpReceiver
from collector.receivers.settings import GrpcSettings, HttpSettings, TlsSettings
from collector.receivers.zipkin import ZipkinReceiver
from tests.receiving import Received
from tests.waiting import until

KINDS = ["grpc", "http", "zipkin"]


@pytest.fixture
def tls(tmp_path: Path) -> TlsSettings:
    return TlsSettings(tmp_path / "server.pem", tmp_path / "server.key", reload_seconds=0.01)


def put(tls: TlsSettings, issued: trustme.LeafCert) -> None:
    """Replace certificate and key the way renewal tools do: each at once, one after the other."""
    put_file(tls.cert_file, b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    put_file(tls.key_file, issued.private_key_pem.bytes())


def put_file(path: Path, content: bytes) -> None:
    new = path.with_suffix(".new")
    new.write_bytes(content)
    new.replace(path)


@contextmanager
def serving(kind: str, received: Received, tls: TlsSettings) -> Iterator[int]:
    with LoopThread("test-grpc") as thread:
        receiver: OtlpGrpcReceiver | OtlpHttpReceiver | ZipkinReceiver
        if kind == "grpc":
            receiver = OtlpGrpcReceiver(GrpcSettings("localhost", 0, tls=tls), received.ingest, thread)
        else:
            http = OtlpHttpReceiver if kind == "http" else ZipkinReceiver
            receiver = http(HttpSettings("localhost", 0, tls=tls), received.ingest)
        receiver.start()
        try:
            yield receiver.port
        finally:
            receiver.close(1.0)


def trusting(authority: trustme.CA, own: trustme.LeafCert | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    context.set_alpn_protocols(["h2", "http/1.1"])
    if own is not None:
        own.configure_cert(context)
    return context


def handshake(
    port: int, context: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> tuple[bytes, ssl.SSLSession | None]:
    """Return the certificate that a new connection is shown, and its session; raises when the server hangs up."""
    with (
        socket.create_connection(("localhost", port), 10) as plain,
        context.wrap_socket(plain, server_hostname="localhost", session=session) as secure,
    ):
        secure.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        if not secure.recv(1):  # grpc says who it is, HTTP answers; a client that is not trusted hears neither
            raise ConnectionResetError
        return secure.getpeercert(binary_form=True) or b"", secure.session


def leaf(issued: trustme.LeafCert) -> bytes:
    return ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())


def shows(port: int, authority: trustme.CA, issued: trustme.LeafCert) -> Callable[[], bool]:
    def is_shown() -> bool:
        try:
            return handshake(port, trusting(authority))[0] == leaf(issued)
        except ssl.SSLCertVerificationError:
            return False

    return is_shown


@contextmanager
def connected(kind: str, port: int, authority: trustme.CA) -> Iterator[Callable[[], None]]:
    """Yield what makes a call on one connection, which is open when this returns."""
    if kind == "grpc":
        credentials = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
        with grpc.secure_channel(f"localhost:{port}", credentials) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            call: Callable[[], object] = lambda: stub.Check(health_pb2.HealthCheckRequest(), timeout=10)  # noqa: E731
            call()
            yield lambda: assert_serving(call())
    else:
        with httpx.Client(base_url=f"https://localhost:{port}", verify=trusting(authority)) as http:
            http.get("/")
            yield lambda: assert_not_found(http.get("/"))


def assert_serving(answer: object) -> None:
    assert answer == health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)


def assert_not_found(answer: httpx.Response) -> None:
    assert answer.status_code == 404


@pytest.mark.parametrize("kind", KINDS)
def test_new_connections_see_a_renewed_certificate_and_old_ones_live_on(
    kind: str, received: Received, tls: TlsSettings
) -> None:
    old, new = trustme.CA(), trustme.CA()  # two: who trusts the old one alone could not connect again
    before, after = old.issue_cert("localhost"), new.issue_cert("localhost")
    put(tls, before)
    with serving(kind, received, tls) as port, connected(kind, port, old) as call:
        assert handshake(port, trusting(old))[0] == leaf(before)
        put(tls, after)
        until(shows(port, new, after))
        call()
        with pytest.raises(ssl.SSLCertVerificationError):
            handshake(port, trusting(old))


@pytest.mark.parametrize("kind", KINDS)
def test_a_certificate_without_its_key_changes_nothing_until_the_key_is_there(
    kind: str, received: Received, tls: TlsSettings
) -> None:
    authority = trustme.CA()
    before, after = authority.issue_cert("localhost"), authority.issue_cert("localhost")
    put(tls, before)
    with serving(kind, received, tls) as port, capture_logs() as logs:
        put_file(tls.cert_file, after.cert_chain_pems[0].bytes())
        until(lambda: shows(port, authority, before)() and bool(logs))
        assert all(shows(port, authority, before)() for _ in range(5))
        put_file(tls.key_file, after.private_key_pem.bytes())
        until(shows(port, authority, after))
    assert [line["event"] for line in logs if line["event"].startswith("tls_")] == ["tls_reload_failed", "tls_reloaded"]
    assert (logs[0]["log_level"], logs[0]["cert_file"]) == ("error", str(tls.cert_file))


@pytest.mark.parametrize("kind", KINDS)
def test_a_renewed_client_ca_turns_clients_of_the_old_one_away(
    kind: str, received: Received, tls: TlsSettings, tmp_path: Path
) -> None:
    old, new = trustme.CA(), trustme.CA()
    mutual = replace(tls, client_ca_file=tmp_path / "ca.pem")
    put(tls, old.issue_cert("localhost"))
    put_file(tmp_path / "ca.pem", old.cert_pem.bytes())
    known, unknown = trusting(old, old.issue_cert("old.example.com")), trusting(old, new.issue_cert("new.example.com"))
    with serving(kind, received, mutual) as port:
        _, session = handshake(port, known)
        assert is_trusted(port, known, session)
        assert not is_trusted(port, unknown)
        put_file(tmp_path / "ca.pem", new.cert_pem.bytes())
        until(lambda: is_trusted(port, unknown))
        assert not is_trusted(port, known)
        assert not is_trusted(port, known, session)  # nor with a session from when it was trusted


def is_trusted(port: int, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> bool:
    try:
        handshake(port, context, session)
    except OSError:
        return False
    return True


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_is_turned_away_while_files_are_renewed(kind: str, received: Received, tls: TlsSettings) -> None:
    authority = trustme.CA()
    issued = [authority.issue_cert("localhost") for _ in range(10)]
    put(tls, issued[0])
    context = trusting(authority)
    with serving(kind, received, replace(tls, reload_seconds=1e-9)) as port, ThreadPoolExecutor(4) as clients:
        seen = [clients.submit(handshake, port, context) for _ in range(100)]
        for each in issued[1:]:
            put(tls, each)
            seen += [clients.submit(handshake, port, context) for _ in range(10)]
        assert {shown.result()[0] for shown in seen} <= {leaf(each) for each in issued}
        until(shows(port, authority, issued[-1]))
