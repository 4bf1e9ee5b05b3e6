"""Settings of the extensions: what Baton serves beside the pipelines."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from collector.config.access import Auth
from collector.config.values import Duration, Endpoint, Section, setting

SKEW = "Largest correction of clocks that disagree between hosts; 0s corrects none, as in Jaeger."


def without_trailing_slash(path: str) -> str:
    """Return the path when it is empty, or starts with a slash and does not end in one."""
    if path and (not path.startswith("/") or path.endswith("/") or any(c in path for c in " ?#")):
        msg = 'write a path such as "/obs/baton": a slash first, none last'
        raise ValueError(msg)
    return path


def ui_build(path: Path) -> Path:
    """Return the path when it may be a Jaeger UI build; more is checked when it is served."""
    if not (path / "index.html").is_file():
        msg = f"there is no index.html in {path}: name the folder of a Jaeger UI build"
        raise ValueError(msg)
    return path


def existing_file(path: Path) -> Path:
    """Return the path of a file that is there."""
    if not path.is_file():
        msg = f"there is no file {path}"
        raise ValueError(msg)
    return path


class Query(Section):
    """HTTP: query API, Jaeger API, web UI, health."""

    endpoint: Endpoint = setting("localhost:16686", description="Where it listens, `host:port`.")
    base_path: Annotated[str, AfterValidator(without_trailing_slash)] = Field(
        default="", description='Path in front of every route, such as "/obs/baton", for a reverse proxy.'
    )
    auth: Auth | None = Field(default=None, description="API keys; without it everybody who can connect may read.")
    ui_dir: Annotated[Path, AfterValidator(ui_build)] | None = Field(
        default=None, description="A Jaeger UI build to serve at `/`."
    )
    ui_config_file: Annotated[Path, AfterValidator(existing_file)] | None = Field(
        default=None, description="A Jaeger UI configuration, `.json` or `.js`."
    )
    max_clock_skew_adjust: Duration = setting("0s", description=SKEW)


class JaegerGrpc(Section):
    """gRPC: Jaeger's query services, Jaeger remote storage (reads, and writes through OTLP), health."""

    endpoint: Endpoint = setting("localhost:16685", description="Where it listens, `host:port`.")
    accept_writes: bool = Field(default=True, description="Take OTLP here too, as Jaeger's remote storage does.")
    max_recv_msg_size_mib: int = Field(default=64, ge=1, le=1024, description="Largest request in MiB.")
    auth: Auth | None = Field(default=None, description="API keys; without it everybody who can connect may read.")
    max_clock_skew_adjust: Duration = setting("0s", description=SKEW)


class Admin(Section):
    """What only an operator may do."""

    allow_purge: bool = Field(default=False, description="Allow `POST /api/v1/admin/purge`, which empties the store.")


EXTENSIONS: dict[str, type[Query] | type[JaegerGrpc] | type[Admin]] = {
    "query": Query,
    "jaeger_grpc": JaegerGrpc,
    "admin": Admin,
}
