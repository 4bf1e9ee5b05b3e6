"""The one friendly block that `baton serve` prints: what listens where, and what to do next."""

import shutil
import sys
from pathlib import Path

from collector.config.extensions import Query
from collector.config.model import Config
from collector.config.values import Address
from collector.service import VERSION, Listening
from collector.settings import extension, store_place


def banner(config: Config, listening: Listening) -> str:
    """Return the block, for people."""
    rows = [
        *(("OTLP/gRPC", str(address)) for address in listening.otlp_grpc),
        *(("OTLP/HTTP", f"http://{reachable(address)}") for address in listening.otlp_http),
    ]
    rows += [("Zipkin", f"http://{reachable(address)}/api/v2/spans") for address in listening.zipkin]
    query = query_url(config, listening)
    if query:
        rows.append(("Query API", f"{query}/docs"))
    if listening.jaeger_grpc:
        rows.append(("Jaeger gRPC", str(listening.jaeger_grpc)))
    rows.append(("Data", store_place(config)))
    lines = [f"Baton {VERSION} is ready.", "", *(f"  {name:<13}{value}" for name, value in rows)]
    lines += ["", *_exporting(listening), *_looking(config, listening, query)]
    demo = [f"  See a demo:         {_demo(listening, query)}"] if listening.otlp_grpc else []
    return "\n".join([*lines, "", *demo, "  Stop:               Ctrl-C"])


def query_url(config: Config, listening: Listening) -> str:
    """Return the address of the query side for a browser on this machine, or nothing when it is off."""
    query = extension(config, "query")
    base = query.base_path if isinstance(query, Query) else ""
    return f"http://{reachable(listening.query)}{base}" if listening.query else ""


def reachable(address: Address) -> Address:
    """Return where this machine can reach a listener: one on every interface is on localhost too."""
    return Address("localhost", address.port) if address.host in {"0.0.0.0", "::"} else address  # noqa: S104


def _exporting(listening: Listening) -> list[str]:
    if listening.otlp_grpc:
        endpoint, protocol = reachable(listening.otlp_grpc[0]), "grpc"
    else:
        endpoint, protocol = reachable(listening.otlp_http[0]), "http/protobuf"
    return [
        f"  Point an exporter:  export OTEL_EXPORTER_OTLP_ENDPOINT=http://{endpoint}",
        f"                      export OTEL_EXPORTER_OTLP_PROTOCOL={protocol}",
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
