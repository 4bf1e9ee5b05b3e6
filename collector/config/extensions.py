"""Settings of the extensions: what Baton serves beside the pipelines."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from collector.config.access import Auth
from collector.config.values import Endpoint, Section, setting


def without_trailing_slash(path: str) -> str:
    """Return the path when it is empty, or starts with a slash and does not end in one."""
    if path and (not path.startswith("/") or path.endswith("/") or any(c in path for c in " ?#")):
        msg = 'write a path such as "/obs/baton": a slash first, none last'
        raise ValueError(msg)
    return path


class Query(Section):
    """HTTP: query API, Jaeger API, web UI, health."""

    endpoint: Endpoint = setting("localhost:16686", description="Where it listens, `host:port`.")
    base_path: Annotated[str, AfterValidator(without_trailing_slash)] = Field(
        default="", description='Path in front of every route, such as "/obs/baton", for a reverse proxy.'
    )
    auth: Auth | None = Field(default=None, description="API keys; without it everybody who can connect may read.")
    ui_dir: Path | None = Field(default=None, description="A Jaeger UI build to serve at `/`.")


class JaegerGrpc(Section):
    """gRPC: Jaeger's query services, Jaeger remote storage, health."""

    endpoint: Endpoint = setting("localhost:16685", description="Where it listens, `host:port`.")


class Admin(Section):
    """What only an operator may do."""

    allow_purge: bool = Field(default=False, description="Allow `POST /api/v1/admin/purge`, which empties the store.")


EXTENSIONS: dict[str, type[Query] | type[JaegerGrpc] | type[Admin]] = {
    "query": Query,
    "jaeger_grpc": JaegerGrpc,
    "admin": Admin,
}
