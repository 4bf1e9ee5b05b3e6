"""The one friendly block that `baton serve` prints: what listens where, and what to do next."""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from collector.config.extensions import Query
from collector.config.model import Config
from collector.config.receivers import OtlpReceiver, OtlpTransport, ZipkinReceiver
from collector.config.values import Address
from collector.service import VERSION, Listening
from collector.settings import extension, receivers, store_place, untaken
from storage.queries import Signal


@dataclass(frozen=True, slots=True)
class _Otlp:
    """Where OTLP can be sent; `only` says so when it takes one signal and not the other."""

    address: Address
    url: str
    asks_for_key: bool
    only: str


def banner(config: Config, listening: Listening) -> str:
    """Return the block, for people."""
    rows = [
        *(("OTLP/gRPC", f"{each.address}{each.only}") for each in _otlp(config, listening, "grpc")),
        *(("OTLP/HTTP", f"{each.url}{each.only}") for each in _otlp(config, listening, "http")),
    ]
    zipkin = [written for written in receivers(config).values() if isinstance(written, ZipkinReceiver)]
    rows += [
        ("Zipkin", f"{_url(address, written)}/api/v2/spans")
        for address, written in zip(listening.zipkin, zipkin, strict=True)
    ]
    query = query_url(config, listening)
    if query:
        rows.append(("Query API", f"{query}/docs"))
    if listening.jaeger_grpc:
        rows.append(("Jaeger gRPC", str(listening.jaeger_grpc)))
    rows.append(("Data", store_place(config)))
    lines = [f"Baton {VERSION} is ready.", "", *(f"  {name:<13}{value}" for name, value in rows)]
    lines += ["", *_exporting(config, listening), *_looking(config, listening, query)]
    demo = [
        f"  See a demo:         {_demo(each, query)}"
        for each in _otlp(config, listening, "grpc")[:1]
        if each.url.startswith("http://") and not each.asks_for_key and not each.only
    ]
    return "\n".join([*lines, "", *demo, "  Stop:               Ctrl-C"])


def query_url(config: Config, listening: Listening) -> str:
    """Return the address of the query side for a browser on this machine, or nothing when it is off."""
    query = extension(config, "query")
    base = query.base_path if isinstance(query, Query) else ""
    return f"http://{reachable(listening.query)}{base}" if listening.query else ""


def reachable(address: Address) -> Address:
    """Return where this machine can reach a listener: one on every interface is on localhost too."""
    return Address("localhost", address.port) if address.host in {"0.0.0.0", "::"} else address  # noqa: S104


def _exporting(config: Config, listening: Listening) -> list[str]:
    grpc = [("grpc", each) for each in _otlp(config, listening, "grpc")]
    http = [("http/protobuf", each) for each in _otlp(config, listening, "http")]
    protocol, to = min([*grpc, *http], key=lambda choice: bool(choice[1].only))
    return [
        f"  Point an exporter:  export OTEL_EXPORTER_OTLP_ENDPOINT={to.url}",
        f"                      export OTEL_EXPORTER_OTLP_PROTOCOL={protocol}",
        *(["                      export OTEL_EXPORTER_OTLP_HEADERS=x-api-key=KEY"] if to.asks_for_key else []),
    ]


def _otlp(config: Config, listening: Listening, transport: Literal["grpc", "http"]) -> list[_Otlp]:
    """Return the OTLP listeners of a transport, those that take both signals first."""
    written = [
        (each.protocols.grpc if transport == "grpc" else each.protocols.http, _only(config, name))
        for name, each in receivers(config).items()
        if isinstance(each, OtlpReceiver)
    ]
    running = [(each, only) for each, only in written if each is not None]
    addresses = listening.otlp_grpc if transport == "grpc" else listening.otlp_http
    found = [
        _Otlp(address, _url(address, each), each.auth is not None, only)
        for address, (each, only) in zip(addresses, running, strict=False)
    ]
    return sorted(found, key=lambda each: bool(each.only))


def _only(config: Config, receiver: str) -> str:
    missing = untaken(config, receiver)
    return "".join(f" ({signal.value} only)" for signal in Signal if missing and signal not in missing)


def _url(address: Address, written: OtlpTransport) -> str:
    return f"{'https' if written.tls else 'http'}://{reachable(address)}"


def _looking(config: Config, listening: Listening, query: str) -> list[str]:
    written = extension(config, "query")
    lines = []
    if query and isinstance(written, Query) and written.ui_dir:
        lines.append(f"  Jaeger UI:          {query}")
    elif query:
        lines.append(f"  Jaeger UI:          docker compose up, or {program()} serve --ui-dir BUILD")
    if listening.jaeger_grpc:
        lines.append(f"                      or any Jaeger with remote storage at {reachable(listening.jaeger_grpc)}")
    if query:
        lines.append(f"  Grafana:            a data source of type Jaeger with the URL {query}")
    return lines


def _demo(to: _Otlp, query: str) -> str:
    command = f"{program()} demo"
    if (endpoint := reachable(to.address)) != Address("localhost", 4317):
        command += f" --endpoint {endpoint}"
    if query not in {"", "http://localhost:16686"}:
        command += f" --query-url {query}"
    return command


def program() -> str:
    """Return what to type for this very program: its name when the shell finds it, else its path from here."""
    here = Path(sys.argv[0])
    if here.name != "baton" or shutil.which("baton"):
        return "baton"
    return str(here.relative_to(Path.cwd())) if here.is_relative_to(Path.cwd()) else str(here)
