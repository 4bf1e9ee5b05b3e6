"""Receivers, processors and exporters as they are configured."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from collector.config.extensions import Query
from collector.config.forwarding import OtlpExporter
from collector.config.load import load
from tests.unit.config.loading import faults, protocols, storage, write


def test_a_transport_is_on_when_its_key_is_there(tmp_path: Path) -> None:
    config = load([write(tmp_path, "receivers: {otlp: {protocols: {http:}}}")], environment={})

    assert protocols(config).grpc is None
    assert protocols(config).http is not None
    assert load(options=[f"receivers={yaml.safe_dump(config.as_written()['receivers'])}"], environment={}) == config
    assert "switch on grpc or http" in faults(options=("receivers.otlp.protocols={}",))["receivers.otlp.protocols"]


def test_a_second_component_of_a_type(tmp_path: Path) -> None:
    text = """
    receivers: {otlp/internal: {protocols: {grpc: {endpoint: "localhost:5317"}}}}
    service:
      pipelines:
        traces: {receivers: [otlp, otlp/internal], exporters: [storage]}
        logs: {receivers: [otlp], exporters: [storage]}
    """

    assert set(load([write(tmp_path, text)], environment={}).receivers) == {"otlp", "otlp/internal"}


def test_files_that_settings_name(tmp_path: Path) -> None:
    files = {"cert_file": write(tmp_path, "", "cert.pem"), "key_file": write(tmp_path, "", "key.pem")}
    options = [f"receivers.otlp.protocols.http.tls.{key}={path}" for key, path in files.items()]

    http = protocols(load([], options, {})).http

    assert http is not None
    assert http.tls is not None
    assert (http.tls.cert_file, http.tls.key_file) == (files["cert_file"], files["key_file"])


def test_rules_and_patterns_become_options() -> None:
    options = ["rules.agent_sequence=false", "patterns.ours.expression=to (?P<target>[a-z]+)"]

    made = load([], [f"processors.agent_transfers.{option}" for option in options], {}).processors["agent_transfers"]

    assert made.options().disabled_rules == frozenset({"agent_sequence"})
    assert [pattern.rule for pattern in made.options().log_patterns][-1] == "ours"


def test_settings_keep_their_units() -> None:
    found = storage(load(options=["exporters.storage.memory_limit=1.5GiB", "exporters.storage.query_timeout=1m30s"]))

    assert found.memory_limit == 3 << 29
    assert found.query_timeout == timedelta(seconds=90)


def test_exporters_that_send_on(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        """
receivers: {zipkin: {}}
exporters:
  otlp/backup: {endpoint: "backup:4317", headers: {x-api-key: "${env:KEY}"}, sending_queue: {max_size: 2GiB}}
  otlphttp: {endpoint: "https://collector.example:4318"}
  zipkin: {endpoint: "http://zipkin:9411/api/v2/spans"}
service:
  pipelines:
    traces: {receivers: [otlp, zipkin], exporters: [storage, otlp/backup, zipkin]}
    logs: {receivers: [otlp], exporters: [storage, otlp/backup, otlphttp]}
""",
    )
    config = load([file], environment={"KEY": "secret"})
    backup = config.exporters["otlp/backup"]
    assert isinstance(backup, OtlpExporter)
    assert backup.sending_queue.max_size == 2 << 30
    assert backup.headers["x-api-key"].get_secret_value() == "secret"
    assert "secret" not in str(config.as_written())


def test_exporters_that_cannot_send_on(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        """
exporters: {otlp: {}, otlphttp: {endpoint: "host:4318"}, zipkin: {endpoint: "http://z/api/v2/spans"}}
service: {pipelines: {logs: {receivers: [otlp], exporters: [storage, zipkin]}}}
""",
    )
    assert faults(file) == {
        "exporters.otlp.endpoint": "field required",
        "exporters.otlphttp.endpoint": (
            'write a URL such as "https://collector.example:4318"; what the receiver asks for goes into headers'
        ),
        "service.pipelines.logs.exporters[1]": "Zipkin knows traces only",
        "service.pipelines": "there is no pipeline for traces",
    }


@pytest.mark.parametrize("kind", ["otlp", "otlphttp", "zipkin"])
@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("x-api-key", "secret\n", "the value of x-api-key cannot be sent"),
        ("x-api-key", " secret", "the value of x-api-key cannot be sent"),
        ("x-api-key", "sécret", "the value of x-api-key cannot be sent"),
        ("x api key", "secret", '"x api key" is no name of a header'),
        ("", "secret", '"" is no name of a header'),
    ],
)
def test_headers_that_cannot_be_sent(kind: str, name: str, value: str, fault: str) -> None:
    endpoint = "host:4317" if kind == "otlp" else "http://host:4318"
    written = json.dumps({"endpoint": endpoint, "headers": {name: value}})
    (found,) = faults(options=(f"exporters.{kind}={written}",)).items()
    assert found[0] == f"exporters.{kind}.headers"
    assert found[1].startswith(fault)
    assert "cret" not in found[1]


def test_a_key_without_a_certificate(tmp_path: Path) -> None:
    key = write(tmp_path, "", "key.pem")
    written = json.dumps({"endpoint": "host:4317", "tls": {"key_file": str(key)}})
    assert faults(options=(f"exporters.otlp={written}",)) == {
        "exporters.otlp.tls": "key_file without cert_file: a key shows the receiver nothing"
    }


@pytest.mark.parametrize(
    ("kind", "endpoint"),
    [
        ("otlp", "http://host:4317"),
        ("otlp", "host:99999"),
        ("otlp", "host"),
        ("otlp", ":4317"),
        ("otlp", "host:0"),
        ("otlphttp", "https://user:secret@host"),
        ("otlphttp", "host:4318"),
        ("otlphttp", "http://host:x"),
        ("zipkin", "http://host/api/v2/spans?x=1"),
    ],
)
def test_where_nothing_can_be_sent(kind: str, endpoint: str) -> None:
    found = faults(options=(f"exporters.{kind}={{endpoint: '{endpoint}'}}",))
    assert list(found) == [f"exporters.{kind}.endpoint"]
    assert found[f"exporters.{kind}.endpoint"].startswith("write ")


def test_signals_do_not_share_a_path() -> None:
    path = "receivers.otlp.protocols.http"
    assert "must differ" in faults(options=(f"{path}.logs_url_path=/v1/traces",))[path]


def test_a_ui_that_is_not_there(tmp_path: Path) -> None:
    options = (f"extensions.query.ui_dir={tmp_path}", f"extensions.query.ui_config_file={tmp_path}/ui.json")
    assert faults(options=options) == {
        "extensions.query.ui_dir": f"there is no index.html in {tmp_path}: name the folder of a Jaeger UI build",
        "extensions.query.ui_config_file": f"there is no file {tmp_path}/ui.json",
    }
    (tmp_path / "index.html").touch()
    query = load(options=options[:1], environment={}).extensions["query"]
    assert isinstance(query, Query)
    assert query.ui_dir == tmp_path
