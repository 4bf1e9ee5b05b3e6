"""Settings of the exporters: where telemetry goes, the store first of all."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from collector.config.clickhouse import ClickHouse
from collector.config.forwarding import FORWARDERS, OtlpExporter, OtlpHttpExporter, ZipkinExporter
from collector.config.values import Duration, Section, Size, setting


def whole_days(value: timedelta) -> timedelta:
    """Return the value when it is a whole number of days, at least one: whole days are what is dropped."""
    if value < timedelta(days=1) or value % timedelta(days=1):
        msg = 'retention works in whole days: write "7d", or null to keep everything'
        raise ValueError(msg)
    return value


Dsn = Annotated[SecretStr, Field(min_length=1)]
Days = Annotated[Duration, AfterValidator(whole_days)]


class Retention(Section):
    """How long and how much is kept. Null means "without limit"."""

    traces: Days | None = setting("7d", description="Age at which a day of spans is dropped; null keeps all.")
    logs: Days | None = setting("7d", description="Age at which a day of log records is dropped; null keeps all.")
    max_disk: Size | None = setting(
        None, ge=64 << 20, description="Disk the store may use; beyond it the oldest day goes. Null: no cap."
    )


class Storage(Section):
    """Keeps telemetry and answers queries."""

    engine: Literal["embedded", "clickhouse", "postgres"] = Field(
        default="embedded",
        description="`embedded`: ClickHouse in this process, nothing to install. `clickhouse`: a ClickHouse server or"
        " cluster, 26.3 or newer. `postgres`: PostgreSQL, 15 or newer.",
    )
    clickhouse: ClickHouse = Field(default=ClickHouse(), description="The servers, for the engine `clickhouse`.")
    directory: Path | None = Field(
        default=None,
        description="Where the data is; null means `<data_dir>/clickhouse`, or `<data_dir>/pg` for a local PostgreSQL.",
    )
    dsn: Dsn | None = Field(
        default=None,
        description="PostgreSQL's connection string, such as `${env:BATON_DSN}`; null starts a local server.",
    )
    database_schema: str = Field(
        default="baton", pattern=r"^[a-z_][a-z0-9_]{0,62}$", description="PostgreSQL's schema that holds the tables."
    )
    timescaledb: bool = Field(
        default=False,
        description="PostgreSQL with TimescaleDB: chunks of one day, compressed after 7 days. For a new schema only.",
    )
    memory_limit: Size = setting(
        "800MiB", ge=256 << 20, description="Memory the engine may use for inserts, merges and queries together."
    )
    query_memory_limit: Size = setting(
        "400MiB", ge=16 << 20, description="Memory one query may use; beyond it the query fails, nothing else."
    )
    query_timeout: Duration = setting(
        "30s", gt=timedelta(0), description="Time one query may take; beyond it the query fails, nothing else."
    )
    query_threads: int = Field(default=2, ge=1, description="Threads one query may use.")
    max_queries: int = Field(
        default=8,
        ge=2,
        description="Queries and inserts that run side by side; others wait. On PostgreSQL, inserts have four more"
        " connections of their own.",
    )
    retention: Retention = Field(default=Retention(), description="What is dropped when.")


EXPORTERS: dict[str, type[Storage | OtlpExporter | OtlpHttpExporter | ZipkinExporter]] = {
    "storage": Storage,
    **FORWARDERS,
}
