"""Which contents of TLS files are in force while the files change."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from collector.forwarding.tls_files import ClientTlsFiles, ClientTlsSettings
from collector.receivers.errors import ListenError
from collector.receivers.settings import TlsSettings
from collector.receivers.tls_files import TlsFiles
from collector.receivers.tls_metrics import CertificateCollector
from collector.renewal import UnusableFiles

AUTHORITY = trustme.CA()
FIRST, SECOND = AUTHORITY.issue_cert("localhost"), AUTHORITY.issue_cert("localhost")


@pytest.fixture
def settings(tmp_path: Path) -> TlsSettings:
    """Files of the first certificate, looked at whenever somebody asks."""
    made = TlsSettings(tmp_path / "cert.pem", tmp_path / "key.pem", tmp_path / "ca.pem", reload_seconds=1e-9)
    put(made, FIRST)
    (tmp_path / "ca.pem").write_bytes(AUTHORITY.cert_pem.bytes())
    return made


def put(settings: TlsSettings, issued: trustme.LeafCert) -> None:
    settings.cert_file.write_bytes(issued.cert_chain_pems[0].bytes())
    settings.key_file.write_bytes(issued.private_key_pem.bytes())


def encrypted(key: bytes) -> bytes:
    password = BestAvailableEncryption(b"secret")
    return load_pem_private_key(key, None).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, password)


BROKEN: dict[str, Callable[[TlsSettings], object]] = {
    "another's key": lambda files: files.key_file.write_bytes(SECOND.private_key_pem.bytes()),
    "an encrypted key": lambda files: files.key_file.write_bytes(encrypted(FIRST.private_key_pem.bytes())),
    "half a certificate": lambda files: files.cert_file.write_bytes(SECOND.cert_chain_pems[0].bytes()[:300]),
    "an empty certificate": lambda files: files.cert_file.write_bytes(b""),
    "no certificate": lambda files: files.cert_file.unlink(),
    "no client CA": lambda files: (files.cert_file.parent / "ca.pem").unlink(),
    "an empty client CA": lambda files: (files.cert_file.parent / "ca.pem").write_bytes(b""),
}


@pytest.mark.parametrize("how", BROKEN)
def test_files_that_cannot_be_used_leave_the_old_ones_in_force_and_are_named_once(
    settings: TlsSettings, how: str
) -> None:
    files = TlsFiles(settings)
    loaded = files.current()
    with capture_logs() as logs:
        BROKEN[how](settings)
        assert all(files.current() is loaded for _ in range(3))
        assert [line["event"] for line in logs] == ["tls_reload_failed"]
        assert {line["cert_file"] for line in logs} == {str(settings.cert_file)}
        assert {line["key_file"] for line in logs} == {str(settings.key_file)}
        assert "PRIVATE" not in str(logs)
        put(settings, SECOND)
        (settings.cert_file.parent / "ca.pem").write_bytes(AUTHORITY.cert_pem.bytes())
        assert files.current().certificates == SECOND.cert_chain_pems[0].bytes()
    assert [line["event"] for line in logs] == ["tls_reload_failed", "tls_reloaded"]


@pytest.mark.parametrize("how", BROKEN)
def test_files_that_cannot_be_used_are_an_error_at_the_start(settings: TlsSettings, how: str) -> None:
    BROKEN[how](settings)
    with pytest.raises(ListenError, match=r"cannot be used"):
        TlsFiles(settings)


def test_a_link_that_is_turned_is_a_renewal(settings: TlsSettings, tmp_path: Path) -> None:
    for name, issued in (("one", FIRST), ("two", SECOND)):
        (tmp_path / name).mkdir()
        put(replace(settings, cert_file=tmp_path / name / "tls.crt", key_file=tmp_path / name / "tls.key"), issued)
    (tmp_path / "now").symlink_to("one")
    files = TlsFiles(TlsSettings(tmp_path / "now" / "tls.crt", tmp_path / "now" / "tls.key", None, 1e-9))
    (tmp_path / "next").symlink_to("two")
    (tmp_path / "next").replace(tmp_path / "now")
    assert files.current().key == SECOND.private_key_pem.bytes()


def test_files_are_not_looked_at_before_the_interval_is_over_nor_when_told_never_to(settings: TlsSettings) -> None:
    kept = [TlsFiles(replace(settings, reload_seconds=seconds)) for seconds in (3600, 0)]
    loaded = [files.current() for files in kept]
    put(settings, SECOND)
    assert [files.current() for files in kept] == loaded


def test_the_expiry_is_that_of_the_certificate_in_use(settings: TlsSettings) -> None:
    put(settings, AUTHORITY.issue_cert("localhost", not_after=datetime.fromtimestamp(time.time() + 3600, UTC)))
    files = TlsFiles(settings)
    registry = CollectorRegistry()
    registry.register(CertificateCollector(lambda: {"localhost:4317": files}))
    name, labels = "baton_tls_certificate_expiry_seconds", {"endpoint": "localhost:4317"}
    assert 3500 < (registry.get_sample_value(name, labels) or 0) <= 3600
    put(settings, AUTHORITY.issue_cert("localhost", not_after=datetime.fromtimestamp(time.time() - 60, UTC)))
    assert -120 < (registry.get_sample_value(name, labels) or 0) <= -60


def test_a_client_may_keep_its_key_beside_its_certificate(tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(FIRST.private_key_and_cert_chain_pem.bytes())
    files = ClientTlsFiles(ClientTlsSettings(cert_file=both, reload_seconds=1e-9))
    assert files.current().key == FIRST.private_key_and_cert_chain_pem.bytes()
    with capture_logs() as logs:
        both.write_bytes(SECOND.private_key_and_cert_chain_pem.bytes())
        assert files.current().certificates == SECOND.private_key_and_cert_chain_pem.bytes()
    assert [line["event"] for line in logs] == ["tls_reloaded"]
    assert logs[0]["expires"] == files.current().expires.isoformat()  # type: ignore[union-attr]
    both.write_bytes(FIRST.cert_chain_pems[0].bytes() + encrypted(FIRST.private_key_pem.bytes()))
    with pytest.raises(UnusableFiles, match=r"both\.pem, .*both\.pem cannot be used"):
        ClientTlsFiles(ClientTlsSettings(cert_file=both))


def test_a_client_without_files_trusts_the_system_and_shows_nothing() -> None:
    loaded = ClientTlsFiles(ClientTlsSettings(reload_seconds=1e-9)).current()
    assert (loaded.ca, loaded.certificates, loaded.key, loaded.expires) == (None, None, None, None)
