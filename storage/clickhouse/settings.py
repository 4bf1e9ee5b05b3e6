"""What users may set about ClickHouse: inside this process, or on servers."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

MIB = 1 << 20


class EmbeddedSettings(BaseModel):
    """Limits of the embedded engine; the defaults suit a machine with two cores and 2 GB to spare."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    memory_bytes: int = Field(default=800 * MIB, ge=256 * MIB, description="ceiling of the engine's own memory")
    query_memory_bytes: int = Field(default=400 * MIB, ge=16 * MIB, description="ceiling of one query's memory")
    query_seconds: float = Field(default=30.0, gt=0, description="ceiling of one query's run time")
    query_threads: int = Field(default=2, ge=1, description="threads one query may use")
    connections: int = Field(default=8, ge=2, description="queries that may run side by side; others wait")


class ServerSettings(BaseModel):
    """Where the servers are and what queries may use."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoints: tuple[str, ...] = Field(min_length=1, description="URLs of HTTP interfaces; the first that answers")
    database: str = Field(default="baton", description="database that holds the tables")
    username: str = Field(default="default", description="user")
    password: SecretStr = Field(default=SecretStr(""), description="the user's password")
    cluster: str | None = Field(default=None, description="name of the cluster, as in remote_servers; None: one server")
    insert_quorum: Literal["auto"] | int = Field(default="auto", description="replicas that must have an insert")
    deduplication_window: int = Field(default=50_000, ge=1_000, description="inserts each table remembers")
    ca_file: Path | None = Field(default=None, description="certificates to trust instead of the usual ones")
    cert_file: Path | None = Field(default=None, description="certificate that Baton shows to the server")
    key_file: Path | None = Field(default=None, description="its key")
    verify: bool = Field(default=True, description="check the server's certificate")
    compression: bool = Field(default=True, description="compress what travels")
    query_memory_bytes: int = Field(default=400 * MIB, ge=16 * MIB, description="ceiling of one query's memory")
    query_seconds: float = Field(default=30.0, gt=0, description="ceiling of one query's run time")
    query_threads: int = Field(default=2, ge=1, description="threads one query may use on each server")
    write_seconds: float = Field(default=120.0, gt=0, description="ceiling of one insert or statement")
    connections: int = Field(default=8, ge=2, description="requests that run side by side; others wait")
    connect_seconds: float = Field(default=10.0, gt=0, description="how long to wait for a connection")
