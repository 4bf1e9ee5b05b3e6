"""Settings of ClickHouse servers as a store."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from collector.config.values import Duration, Section, setting

_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"


def http_url(value: str) -> str:
    """Return the value when it is a URL of ClickHouse's HTTP interface."""
    try:
        url = parse_url(value)
    except LocationParseError:
        url = None
    if url is None or url.scheme not in ("http", "https") or not url.host or url.path not in (None, "/") or url.auth:
        msg = 'write a URL such as "https://clickhouse:8443"; user and password have keys of their own'
        raise ValueError(msg)
    return value


class ServerTls(Section):
    """How Baton and a server know each other. Endpoints say `https` for TLS."""

    ca_file: Path | None = Field(default=None, description="Certificates to trust; null: those of the system.")
    cert_file: Path | None = Field(default=None, description="Certificate Baton shows; null: none.")
    key_file: Path | None = Field(default=None, description="Key of `cert_file`.")
    insecure_skip_verify: bool = Field(default=False, description="Take any certificate from the server.")


class ClickHouse(Section):
    """Servers to store on."""

    endpoints: tuple[Annotated[str, AfterValidator(http_url)], ...] = Field(
        default=("http://localhost:8123",),
        min_length=1,
        description="URLs of the HTTP interface; of a cluster, several servers: one that answers is asked.",
    )
    database: str = Field(default="baton", pattern=_NAME, description="Database; made if it is missing.")
    username: str = Field(default="default", min_length=1, description="User, such as `${env:CLICKHOUSE_USER}`.")
    password: SecretStr = Field(
        default=SecretStr(""), description="The user's password: `${env:CLICKHOUSE_PASSWORD}`, never in the file."
    )
    cluster: str | None = Field(
        default=None, pattern=_NAME, description="Cluster, as in the servers' `remote_servers`; null: one server."
    )
    insert_quorum: Literal["auto"] | Annotated[int, Field(ge=0, le=100)] = Field(
        default="auto",
        description="Replicas of a shard that must have an insert before it counts; `auto`: more than half of them.",
    )
    tls: ServerTls = Field(default=ServerTls(), description="Certificates.")
    compression: bool = Field(default=True, description="Compress what travels (LZ4).")
    connect_timeout: Duration = setting("10s", gt=timedelta(0), description="Time to wait for a connection.")
    write_timeout: Duration = setting("120s", gt=timedelta(0), description="Time one insert may take.")

    @model_validator(mode="after")
    def _several_servers_are_a_cluster(self) -> Self:
        if len(self.endpoints) > 1 and self.cluster is None:
            msg = "several endpoints need `cluster`: on servers by themselves each would hold a part of the data"
            raise ValueError(msg)
        return self
