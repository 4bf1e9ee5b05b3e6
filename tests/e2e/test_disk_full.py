"""A full disk and a full journal: clients are told to come back, and nothing that was acknowledged is lost.

The disk is a small tmpfs in a mount namespace of the server's own, so it is gone when the server is. Where the system
allows no such namespace, only the journal's cap is exercised.
"""

import http.client
import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from collector.bench.api import Api
from collector.bench.server import ServerProcess
from tests.e2e.exporting import Fate, Sent, body_of, settle, stored_span_ids

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
NAMESPACE = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
MOUNT = 'mount -t tmpfs -o size=192m baton "$0" && exec "$@"'


def small_disk(folder: Path) -> list[str]:
    """Return what to run a command under, so that it sees a disk of 192 MB at `folder`."""
    folder.mkdir(parents=True)
    return [*NAMESPACE, "sh", "-c", MOUNT, str(folder)]


def can_mount(tmp_path: Path) -> bool:
    return subprocess.run([*small_disk(tmp_path / "probe"), "true"], capture_output=True, check=False).returncode == 0


class Client:
    """Sends over gRPC and HTTP and notes what was acknowledged."""

    def __init__(self, server: ServerProcess) -> None:
        self._channel = grpc.insecure_channel(server.endpoints.otlp_grpc, [("grpc.enable_retries", 0)])
        self._export = self._channel.unary_unary(EXPORT)
        self._http_endpoint = server.endpoints.otlp_http
        self.sent: list[Sent] = []

    def by_grpc(self, items: int = 200) -> grpc.RpcError | None:
        """Send a request; return the error when it was not acknowledged."""
        trace_id = os.urandom(16)
        try:
            self._export(body_of("traces", trace_id, items), timeout=30)
        except grpc.RpcError as error:
            self.sent.append(Sent("traces", trace_id, items, Fate.UNKNOWN))
            return error
        self.sent.append(Sent("traces", trace_id, items, Fate.ACKNOWLEDGED))
        return None

    def by_http(self) -> tuple[int, str | None]:
        """Send a request; return status and Retry-After."""
        connection = http.client.HTTPConnection(self._http_endpoint, timeout=30)
        trace_id = os.urandom(16)
        body = body_of("traces", trace_id, 200)
        connection.request("POST", "/v1/traces", body, {"content-type": "application/x-protobuf"})
        with connection.getresponse() as response:
            response.read()
        connection.close()
        self.sent.append(Sent("traces", trace_id, 200, Fate.ACKNOWLEDGED if response.status == 200 else Fate.UNKNOWN))
        return response.status, response.getheader("retry-after")

    def close(self) -> None:
        self._channel.close()


def assert_told_to_come_back(error: grpc.RpcError) -> None:
    assert error.code() is grpc.StatusCode.UNAVAILABLE, error
    trailers = dict(error.trailing_metadata())
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    hint = error_details_pb2.RetryInfo()
    assert any(detail.Unpack(hint) for detail in status.details)
    assert hint.retry_delay.ToMilliseconds() > 0
    assert error_details_pb2.RetryInfo.FromString(trailers["google.rpc.retryinfo-bin"]) == hint


def check_all(server: ServerProcess, client: Client) -> None:
    api = Api(server.endpoints.query)
    settle(api)
    for sent in client.sent:
        found = stored_span_ids(api, sent)
        if sent.fate is Fate.ACKNOWLEDGED or found:
            assert found == sent.span_ids(), sent
    api.close()
    assert any(sent.fate is Fate.ACKNOWLEDGED for sent in client.sent)


def until_taken(client: Client, patience_seconds: float = 60.0) -> None:
    deadline = time.monotonic() + patience_seconds
    while (error := client.by_grpc()) is not None:
        assert_told_to_come_back(error)
        assert time.monotonic() < deadline, "it did not recover"
        time.sleep(0.2)


def full_disk(tmp_path: Path) -> None:
    disk = tmp_path / "server" / "data"
    with ServerProcess(tmp_path / "server", run_under=small_disk(disk)) as server:
        client = Client(server)
        for _ in range(5):
            assert client.by_grpc() is None
        filler = Path(f"/proc/{server.pid}/root{disk}/filler")
        with pytest.raises(OSError, match="No space left"):
            fill(filler)
        error = None
        for _ in range(400):
            error = error or client.by_grpc()
        assert error is not None, "the disk was full and everything was taken"
        assert_told_to_come_back(error)
        status, retry_after = client.by_http()
        assert status == 503
        assert int(retry_after or 0) > 0
        assert server.is_running, server.log_tail()
        filler.unlink()
        until_taken(client)
        client.close()
        check_all(server, client)
        assert server.stop() == 0


def fill(filler: Path) -> None:
    with filler.open("wb", buffering=0) as file:
        while True:
            try:
                file.write(bytes(1 << 20))
            except OSError:
                while True:
                    file.write(bytes(1 << 10))


def full_journal(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "server", {"service": {"journal": {"max_size": "16MiB"}}}) as server:
        client = Client(server)
        with ThreadPoolExecutor(16) as threads:
            errors = [error for error in threads.map(lambda _: client.by_grpc(8000), range(96)) if error is not None]
        assert errors, "the cap was never reached"
        for error in errors:
            assert_told_to_come_back(error)
        until_taken(client)
        client.close()
        check_all(server, client)
        assert server.stop() == 0


def test_a_full_disk_refuses_recovers_and_loses_nothing(tmp_path: Path) -> None:
    if can_mount(tmp_path):
        full_disk(tmp_path)
    else:
        full_journal(tmp_path)


def test_a_full_journal_refuses_recovers_and_loses_nothing(tmp_path: Path) -> None:
    full_journal(tmp_path)
