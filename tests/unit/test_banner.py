"""The friendly block: right addresses, and commands that can be pasted."""

from pathlib import Path

import pytest

from collector.banner import banner
from collector.config.load import load
from collector.config.values import Address
from collector.service import Listening

USUAL = Listening(
    otlp_grpc=(Address("localhost", 4317),),
    otlp_http=(Address("localhost", 4318),),
    query=Address("localhost", 16686),
    jaeger_grpc=Address("localhost", 16685),
)


@pytest.fixture(autouse=True)
def on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["baton"])
    monkeypatch.setattr("shutil.which", lambda _: "baton")


def test_the_usual_block() -> None:
    lines = banner(load([], [], {}), USUAL).splitlines()

    assert "  OTLP/gRPC    localhost:4317" in lines
    assert "  Point an exporter:  export OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317" in lines
    assert "                      export OTEL_EXPORTER_OTLP_PROTOCOL=grpc" in lines
    assert "  Grafana:            a data source of type Jaeger with the URL http://localhost:16686" in lines
    assert "  See a demo:         baton demo" in lines


def test_listeners_on_every_interface_are_reached_on_this_machine() -> None:
    everywhere = Listening((Address("0.0.0.0", 5317),), (), Address("::", 5686))

    block = banner(load([], ["extensions.query.base_path=/obs"], {}), everywhere)

    assert "http://localhost:5317" in block
    assert "baton demo --endpoint localhost:5317 --query-url http://localhost:5686/obs" in block


def test_tls_and_keys_are_told_of(tmp_path: Path) -> None:
    (tmp_path / "pem").write_text("")
    tls, auth = f"{{cert_file: {tmp_path}/pem, key_file: {tmp_path}/pem}}", "{api_keys: [k]}"
    options = [
        f"receivers.otlp.protocols.grpc={{tls: {tls}, auth: {auth}}}",
        f"receivers.otlp.protocols.http.tls={tls}",
    ]
    block = banner(load([], options, {}), USUAL)

    assert "OTLP/HTTP    https://localhost:4318" in block
    assert "OTEL_EXPORTER_OTLP_ENDPOINT=https://localhost:4317" in block
    assert "OTEL_EXPORTER_OTLP_HEADERS=x-api-key=KEY" in block
    assert "baton demo" not in block


def test_without_grpc_exporters_are_pointed_at_http() -> None:
    block = banner(load([], [], {}), Listening((), (Address("::1", 4318),)))

    assert "OTEL_EXPORTER_OTLP_ENDPOINT=http://[::1]:4318" in block
    assert "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf" in block
    assert "Grafana" not in block


def test_what_takes_both_signals_comes_first() -> None:
    options = [
        "receivers.otlp/both={protocols: {http: {}}}",
        "receivers.otlp.protocols={grpc: {}}",
        "service.pipelines.traces.receivers=[otlp, otlp/both]",
        "service.pipelines.logs.receivers=[otlp/both]",
    ]
    block = banner(load([], options, {}), Listening((Address("localhost", 4317),), (Address("localhost", 4318),)))

    assert "  OTLP/gRPC    localhost:4317 (traces only)" in block
    assert "  OTLP/HTTP    http://localhost:4318\n" in block
    assert "OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318" in block
    assert "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf" in block
    assert "baton demo" not in block


def test_a_program_that_the_shell_does_not_find_is_named_by_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", [".venv/bin/baton"])
    monkeypatch.setattr("shutil.which", lambda _: None)

    assert ".venv/bin/baton demo" in banner(load([], [], {}), USUAL)
