"""The real `baton serve`: starts, says where, survives what people do wrong, and ends cleanly."""

import json
import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from socket import create_connection, create_server
from typing import Any

import httpx
import pytest
import trustme

from collector.bench.api import Api
from collector.bench.server import ServerProcess
from collector.demo.run import Sent, send
from tests.waiting import until

BATON = [sys.executable, "-c", "from collector.cli import main; main()"]
NOW = time.time_ns()
# An HTTP/2 connection with one call, whose message is compressed in a way that grpc does not know.
ZSTD_CALL = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"  # SETTINGS
    b"\x00\x00\x3c\x01\x04\x00\x00\x00\x01"  # HEADERS of stream 1
    b"\x83\x86\x04\x04/a/b\x0f\x10\x10application/grpc"
    b"\x00\x0dgrpc-encoding\x04zstd"
    b"\x00\x02te\x08trailers"
)
LISTENERS = (
    "receivers.otlp.protocols.grpc",
    "receivers.otlp.protocols.http",
    "extensions.query",
    "extensions.jaeger_grpc",
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path, {"service": {"telemetry": {"logs": {"format": "auto"}}}})
    yield process
    process.close()


def get(server: ServerProcess, path: str) -> tuple[int, dict[str, Any]]:
    api = Api(server.endpoints.query)
    try:
        status, body = api.get(path)
        return status, json.loads(body)
    finally:
        api.close()


def lines(server: ServerProcess) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]


def figures(server: ServerProcess, name: str) -> list[int]:
    ledger: dict[str, Any] = get(server, "/api/v1/ledger")[1]
    return [ledger[signal][name] for signal in ("traces", "logs")]


def wait_until_stored(server: ServerProcess, sent: Sent) -> None:
    until(lambda: figures(server, "stored") == [sent.spans, sent.logs])


def failing(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*BATON, "serve", *arguments], capture_output=True, text=True, timeout=120, check=False)


def test_what_was_acknowledged_a_moment_before_sigterm_is_stored(server: ServerProcess) -> None:
    server.start()
    sent = send(server.endpoints.otlp_grpc, conversations=3, seed=4)

    assert server.stop() == 0

    server.start()
    assert figures(server, "stored") == figures(server, "received") == [sent.spans, sent.logs]
    for told in sent.told:
        status, body = get(server, f"/api/v1/traces/{told.trace_id}")
        assert (status, bool(body["resourceSpans"])) == (200, True)
    assert "journal_recovered" not in [line["event"] for line in lines(server)]


def test_it_says_where_it_listens_and_ends_with_ctrl_c(server: ServerProcess) -> None:
    server.start()
    until(lambda: "Ctrl-C" in server.log.read_text())
    printed = server.log.read_text()
    assert f"OTEL_EXPORTER_OTLP_ENDPOINT=http://{server.endpoints.otlp_grpc}" in printed
    assert f"http://{server.endpoints.query}/docs" in printed
    assert f"baton demo --endpoint {server.endpoints.otlp_grpc}" in printed

    os.kill(server.pid, signal.SIGINT)

    until(lambda: not server.is_running)
    assert [line["event"] for line in lines(server)][-1] == "stopped"


def test_a_receiver_takes_the_signals_whose_pipelines_name_it(tmp_path: Path) -> None:
    pipelines = {
        "traces": {"receivers": ["otlp"], "exporters": ["storage"]},
        "logs": {"receivers": ["otlp/logs"], "exporters": ["storage"]},
    }
    apart = {
        "receivers": {"otlp/logs": {"protocols": {"http": {"endpoint": "127.0.0.1:0"}}}},
        "service": {"pipelines": pipelines, "telemetry": {"logs": {"format": "auto"}}},
    }
    with ServerProcess(tmp_path, apart) as server:
        until(lambda: "Ctrl-C" in server.log.read_text())
        urls = [f"http://{server.endpoints.otlp_http}/v1/{signal}" for signal in ("traces", "logs")]
        answers = [httpx.post(url, content=b"{}", headers={"content-type": "application/json"}) for url in urls]

    assert [answer.status_code for answer in answers] == [200, 404]
    assert "service.pipelines.logs.receivers" in answers[1].json()["message"]
    assert f"{server.endpoints.otlp_grpc} (traces only)" in server.log.read_text()
    assert "baton demo" not in server.log.read_text()


def test_a_stopped_process_that_goes_on_hears_of_sigterm(server: ServerProcess) -> None:
    server.start()
    for number in (signal.SIGSTOP, signal.SIGTERM, signal.SIGCONT):  # Ctrl-Z, `kill %1`
        os.kill(server.pid, number)

    until(lambda: not server.is_running)
    assert [line["event"] for line in lines(server)][-1] == "stopped"


def test_asked_for_json_it_prints_nothing_else(tmp_path: Path) -> None:
    issued = trustme.CA().issue_cert("localhost")
    issued.private_key_and_cert_chain_pem.write_to_path(tmp_path / "both.pem")
    tls = {"tls": {"cert_file": f"{tmp_path}/both.pem", "key_file": f"{tmp_path}/both.pem"}}
    of_receivers = {"receivers": {"otlp": {"protocols": {"grpc": tls, "http": tls}}}}
    process = ServerProcess(tmp_path / "data", of_receivers)  # whose format is json
    try:
        process.start()
        for listener in (process.endpoints.otlp_grpc, process.endpoints.otlp_http):
            host, port = listener.rsplit(":", 1)
            distrustful = ssl.create_default_context()
            with create_connection((host, int(port))) as plain, pytest.raises(ssl.SSLCertVerificationError):
                distrustful.wrap_socket(plain, server_hostname="localhost")
        host, port = process.endpoints.jaeger_grpc.rsplit(":", 1)
        with create_connection((host, int(port)), timeout=10) as plain:
            plain.sendall(ZSTD_CALL)
            answer = b""
            while b"grpc-encoding" not in answer:  # "Error parsing 'grpc-encoding' metadata"
                answer += plain.recv(4096)
        assert process.stop() == 0
    finally:
        process.close()
    events = [json.loads(line)["event"] for line in process.log.read_text().splitlines()]
    assert {"ready", "stopped"} <= set(events)


def test_a_folder_in_use_is_said_in_one_sentence(server: ServerProcess) -> None:
    server.start()

    result = failing("--data-dir", str(server.data_dir), *elsewhere())

    assert result.returncode == 1
    assert "Baton cannot start: another process" in result.stderr
    assert str(server.data_dir) in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("key", LISTENERS)
def test_a_taken_port_is_said_in_one_sentence(tmp_path: Path, key: str) -> None:
    with create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = failing("--data-dir", str(tmp_path), *elsewhere(), "--set", f"{key}.endpoint=127.0.0.1:{port}")

    assert result.returncode == 1
    said = f"cannot listen on 127.0.0.1:{port}: Address already in use ({key}.endpoint)"
    assert f"Baton cannot start: {said}; --set KEY=HOST:PORT names another address" in result.stderr
    assert "Traceback" not in result.stderr


def test_every_taken_port_is_said_at_once(tmp_path: Path) -> None:
    with create_server(("127.0.0.1", 0)) as one, create_server(("127.0.0.1", 0)) as two:
        ports = [taken.getsockname()[1] for taken in (one, two)]
        taken = zip(LISTENERS[:2], ports, strict=True)
        options = [part for key, port in taken for part in ("--set", f"{key}.endpoint=127.0.0.1:{port}")]
        result = failing("--data-dir", str(tmp_path), *elsewhere(), *options)
    assert all(f"127.0.0.1:{port}: Address already in use" in result.stderr for port in ports)


def test_a_bad_configuration_starts_nothing(tmp_path: Path) -> None:
    result = failing("--data-dir", str(tmp_path / "data"), "--set", "service.data=x")

    assert result.returncode == 1
    assert "service.data: unknown key" in result.stderr
    assert not (tmp_path / "data").exists()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    result = failing("--data-dir", str(tmp_path / "file" / "data"), *elsewhere())

    assert result.returncode == 1
    folder = tmp_path / "file" / "data"
    assert result.stderr.splitlines()[-1] == (
        f"Baton cannot start: cannot make the data folder {folder}: Not a directory; --data-dir names another"
    )
    assert "Traceback" not in result.stderr


def elsewhere() -> list[str]:
    """Move every endpoint to a free port."""
    keys = (
        "receivers.otlp.protocols.grpc",
        "receivers.otlp.protocols.http",
        "extensions.query",
        "extensions.jaeger_grpc",
    )
    return [part for key in keys for part in ("--set", f"{key}.endpoint=127.0.0.1:0")]


def test_the_demo_reaches_every_api_and_purge_needs_permission(server: ServerProcess) -> None:
    server.start()
    sent = send(server.endpoints.otlp_grpc, conversations=1, seed=5)
    wait_until_stored(server, sent)
    trace_id = sent.told[0].trace_id

    assert get(server, "/api/services")[1]["data"] == get(server, "/api/v1/services")[1]["services"]
    assert get(server, f"/api/traces/{trace_id}")[1]["data"][0]["traceID"] == trace_id
    assert get(server, f"/api/v3/traces/{trace_id}")[0] == 200
    assert get(server, f"/tempo/api/v2/traces/{trace_id}")[0] == 200
    assert get(server, "/loki/loki/api/v1/labels")[1]["status"] == "success"
    assert get(server, f"/api/v1/logs?trace_id={trace_id}")[0] == 200
    until(lambda: transfers_shown(server, trace_id) == sent.told[0].transfers)
    assert len(get(server, f"/api/v1/transfers?trace_id={trace_id}")[1]["transfers"]) == sent.told[0].transfers
    assert get(server, f"/api/v1/conversations/{sent.told[0].conversation_id}")[0] == 200
    assert get(server, "/api/v1/agents/graph")[0] == 200

    status, problem = post(server, "/api/v1/admin/purge")
    assert status == 403
    assert "allow_purge" in problem["detail"]


def transfers_shown(server: ServerProcess, trace_id: str) -> int:
    """Count the agent transfers that the Jaeger UI would show as span logs."""
    trace = get(server, f"/api/traces/{trace_id}")[1]["data"][0]
    fields = [field for span in trace["spans"] for log in span["logs"] for field in log["fields"]]
    return sum(field["key"] == "event" and field["value"] == "agent transfer" for field in fields)


def test_a_killed_server_leaves_no_process_behind(server: ServerProcess) -> None:
    server.start()
    send(server.endpoints.otlp_grpc, conversations=1, seed=8)
    until(lambda: bool(children(server.pid)))
    left = children(server.pid)

    server.kill()

    until(lambda: not any(runs(child) for child in left))


def children(pid: int) -> list[str]:
    return subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout.split()


def runs(pid: str) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", pid], capture_output=True, text=True, check=False).stdout.strip()
    return bool(state) and not state.startswith("Z")


def test_purge_empties_the_store_and_keeps_what_comes_after(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, {"extensions": {"admin": {"allow_purge": True}}}) as server:
        before = send(server.endpoints.otlp_grpc, conversations=1, seed=6, now=NOW)
        assert post(server, "/api/v1/admin/purge") == (200, {"purged": True})
        assert get(server, "/api/v1/services")[1]["services"] == []
        after = send(server.endpoints.otlp_grpc, conversations=1, seed=6, now=NOW)

        assert after.told == before.told
        until(lambda: get(server, f"/api/v1/traces/{after.told[0].trace_id}")[0] == 200)


def post(server: ServerProcess, path: str) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(f"http://{server.endpoints.query}{path}", method="POST")
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())
