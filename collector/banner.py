"""The one friendly block that `baton serve` prints: what listens where, and what to do next."""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from collector.config.extensions import Query
from collector.config.model import Config
from collector.config.receivers import OtlpReceiver, OtlpTransport, ZipkinReceiver
from collector.config.values import Address
from collector.service import VERSION, Listening
from collector.settings import extension, receivers, store_place


def banner(config: Config, listening: Listening) -> str:
    """Return the block, for people."""
    rows = [
        *(("OTLP/gRPC", str(address)) for address in listening.otlp_grpc),
        *(("OTLP/HTTP", url) for url, _ in _otlp(config, listening, "http")),
    ]
    zipkin = [written for written in receivers(config) if isinstance(written, ZipkinReceiver)]
    rows += [("Zipkin", f"{url}/api/v2/spans") for url, _ in _urls(listening.zipkin, zipkin)]
    query = query_url(config, listening)
    if query:
        rows.append(("Query API", f"{query}/docs"))
    if listening.jaeger_grpc:
        rows.append(("Jaeger gRPC", str(listening.jaeger_grpc)))
    rows.append(("Data", store_place(config)))
    lines = [f"Baton {VERSION} is ready.", "", *(f"  {name:<13}{value}" for name, value in rows)]
    lines += ["", *_exporting(config, listening), *_looking(config, listening, query)]
    plain = any(url.startswith("http://") and not key for url, key in _otlp(config, listening, "grpc")[:1])
    demo = [f"  See a demo:         {_demo(listening, query)}"] if plain else []
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
    protocol = "grpc" if listening.otlp_grpc else "http/protobuf"
    url, key = _otlp(config, listening, "grpc" if listening.otlp_grpc else "http")[0]
    return [
        f"  Point an exporter:  export OTEL_EXPORTER_OTLP_ENDPOINT={url}",
        f"                      export OTEL_EXPORTER_OTLP_PROTOCOL={protocol}",
        *(["                      export OTEL_EXPORTER_OTLP_HEADERS=x-api-key=KEY"] if key else []),
    ]


def _otlp(config: Config, listening: Listening, transport: Literal["grpc", "http"]) -> list[tuple[str, bool]]:
    """Return the URL of each OTLP listener of a transport, and whether it asks for a key."""
    protocols = [written.protocols for written in receivers(config) if isinstance(written, OtlpReceiver)]
    if transport == "grpc":
        return _urls(listening.otlp_grpc, [each.grpc for each in protocols if each.grpc])
    return _urls(listening.otlp_http, [each.http for each in protocols if each.http])


def _urls(addresses: Sequence[Address], written: Sequence[OtlpTransport]) -> list[tuple[str, bool]]:
    return [
        (f"{'https' if each.tls else 'http'}://{reachable(address)}", each.auth is not None)
        for address, each in zip(addresses, written, strict=False)
    ]


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


def _demo(listening: Listening, query: str) -> str:
    command = f"{program()} demo"
    if (endpoint := reachable(listening.otlp_grpc[0])) != Address("localhost", 4317):
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
