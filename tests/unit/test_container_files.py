"""Dockerfile and compose files: they parse, and they agree with each other and with Baton's configuration."""

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import yaml

from collector import settings
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
        if name not in ("baton", "postgres", "clickhouse")
    )


def test_the_cluster_is_two_shards_of_two_replicas_that_know_each_other() -> None:
    folder = ROOT / "docker/cluster"
    services: dict[str, Any] = yaml.safe_load((folder / "compose.yml").read_text())["services"]
    servers = ElementTree.parse(folder / "cluster.xml").getroot()
    keeper = ElementTree.parse(folder / "keeper.xml").getroot()
    environment = {name: service["environment"] for name, service in services.items() if "clickhouse" in name}

    shards = [[host.text or "" for host in shard.iter("host")] for shard in servers.iter("shard") if len(shard)]
    assert [len(replicas) for replicas in shards] == [2, 2]
    for number, replicas in enumerate(shards, 1):
        assert {environment[name]["SHARD"] for name in replicas} == {str(number)}
        assert {environment[name]["REPLICA"] for name in replicas} == {"1", "2"}
    assert {host.text for host in servers.findall("zookeeper/node/host")} == {n for n in services if "keeper" in n}
    assert {port.text for port in servers.findall("zookeeper/node/port")} == {keeper.findtext("keeper_server/tcp_port")}
    assert {host.text for host in keeper.iter("hostname")} == {n for n in services if "keeper" in n}
    assert [element.text for element in servers.iter("internal_replication")] == ["true", "true"]


def test_baton_on_the_cluster_finds_it_and_the_balancer_finds_baton() -> None:
    folder = ROOT / "docker/cluster"
    services: dict[str, Any] = yaml.safe_load((folder / "compose.yml").read_text())["services"]
    files = [ROOT / "docker/otel-config.yaml", folder / "baton.yaml"]
    config = load(files, environment={"CLICKHOUSE_USER": "baton", "CLICKHOUSE_PASSWORD": "secret"})
    written = settings.store(config)

    assert written.engine == "clickhouse"
    assert {url.split("//")[1].split(":")[0] for url in written.clickhouse.endpoints} == {
        name for name in services if name.startswith("clickhouse-")
    }
    assert ElementTree.parse(folder / "cluster.xml").find(f"remote_servers/{written.clickhouse.cluster}") is not None
    upstreams = re.findall(r"server (baton-\d):(\d+);", (folder / "nginx.conf").read_text())
    assert {name for name, _ in upstreams} == {name for name in services if name.startswith("baton-")}
    assert {int(port) for _, port in upstreams} <= listening()
    assert all(port.startswith("127.0.0.1:") for service in services.values() for port in service.get("ports", []))
    mounted = {v.split(":")[0] for service in services.values() for v in service["volumes"] if v.startswith("./")}
    assert all((folder / path).is_file() for path in mounted)


def test_the_container_runs_as_nobody_special_and_copies_what_exists() -> None:
    assert re.search(r"^USER 10001$", DOCKERFILE, re.MULTILINE)
    ignored = (ROOT / ".dockerignore").read_text()
    for source in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE):
        for name in source.split():
            assert (ROOT / name).exists(), name
            assert f"!{name}\n" in ignored, name
