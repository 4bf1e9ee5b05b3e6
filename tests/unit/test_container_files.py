"""Dockerfile and compose files: they parse, and they agree with each other and with Baton's configuration."""

import re
from pathlib import Path
from typing import Any

import yaml

from collector.config.load import load
from collector.config.references import endpoints

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def listening() -> set[int]:
    config = load([ROOT / "docker/otel-config.yaml"], environment={})
    assert {address.host for _, address in endpoints(config)} == {"0.0.0.0"}
    return {address.port for _, address in endpoints(config)}


def test_the_container_listens_where_the_files_say() -> None:
    exposed = re.search(r"^EXPOSE (.*)$", DOCKERFILE, re.MULTILINE)
    assert exposed
    published = {int(port.rsplit(":", 1)[1]) for port in COMPOSE["services"]["baton"]["ports"]}

    assert {int(port) for port in exposed[1].split()} == listening() == published


def test_nothing_is_reachable_from_other_machines() -> None:
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", [])]

    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert len({port.rsplit(":", 1)[0] for port in ports}) == len(ports)


def test_the_jaeger_ui_reads_from_baton() -> None:
    jaeger = yaml.safe_load((ROOT / "docker/jaeger.yaml").read_text())
    host, _, port = jaeger["extensions"]["jaeger_storage"]["backends"]["baton"]["grpc"]["endpoint"].partition(":")

    assert host in COMPOSE["services"]
    assert int(port) in listening()
    assert any(volume.startswith("./docker/jaeger.yaml:") for volume in COMPOSE["services"]["jaeger"]["volumes"])
    assert set(jaeger["service"]["extensions"]) == set(jaeger["extensions"])


def test_what_compose_waits_for_can_become_healthy() -> None:
    assert "HEALTHCHECK" in DOCKERFILE
    assert all(
        service["depends_on"] == {"baton": {"condition": "service_healthy"}}
        for name, service in COMPOSE["services"].items()
        if name not in ("baton", "postgres")
    )


def test_the_container_runs_as_nobody_special_and_copies_what_exists() -> None:
    assert re.search(r"^USER 10001$", DOCKERFILE, re.MULTILINE)
    ignored = (ROOT / ".dockerignore").read_text()
    for source in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE):
        for name in source.split():
            assert (ROOT / name).exists(), name
            assert f"!{name}\n" in ignored, name
