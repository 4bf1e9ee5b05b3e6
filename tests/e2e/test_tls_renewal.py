"""The real `baton serve` with TLS: what it shows and reports after its certificate was renewed."""

import ssl
import time
from datetime import UTC, datetime
from pathlib import Path

import trustme

from collector.bench.api import Api
from collector.bench.server import ServerProcess
from tests.waiting import until


def put(folder: Path, authority: trustme.CA, days: float) -> str:
    """Write a certificate for localhost that lasts so long; return it."""
    issued = authority.issue_cert("localhost", not_after=datetime.fromtimestamp(time.time() + days * 86400, UTC))
    issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    return issued.cert_chain_pems[0].bytes().decode()


def days_left(server: ServerProcess) -> dict[str, float]:
    """Return the gauge in days, by endpoint."""
    api = Api(server.endpoints.query)
    try:
        text = api.get("/metrics")[1].decode()
    finally:
        api.close()
    name = "baton_tls_certificate_expiry_seconds{"
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if line.startswith(name)]
    return {labels.split('"')[1]: round(float(value) / 86400, 1) for labels, value in lines}


def test_a_renewed_certificate_needs_no_restart(tmp_path: Path) -> None:
    authority = trustme.CA()
    put(tmp_path, authority, days=2)
    files = {"cert_file": f"{tmp_path}/cert.pem", "key_file": f"{tmp_path}/key.pem", "reload_interval": "1ms"}
    server = ServerProcess(
        tmp_path / "data", {"receivers": {"otlp": {"protocols": {"grpc": {"tls": files}, "http": {"tls": files}}}}}
    )
    server.start()
    try:
        listeners = (server.endpoints.otlp_grpc, server.endpoints.otlp_http)
        assert days_left(server) == dict.fromkeys(listeners, 2.0)
        renewed = put(tmp_path, authority, days=30)
        until(lambda: days_left(server) == dict.fromkeys(listeners, 30.0))
        for listener in listeners:
            host, port = listener.rsplit(":", 1)
            shown = ssl.get_server_certificate((host, int(port)))
            assert ssl.PEM_cert_to_DER_cert(shown) == ssl.PEM_cert_to_DER_cert(renewed)
    finally:
        server.close()
