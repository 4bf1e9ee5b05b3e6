"""The `service` section: what of everything configured runs, and how the process itself behaves."""

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field

from collector.config.values import Duration, Section, Size, setting


class Pipeline(Section):
    """The way of one signal: receivers, then processors in order, then exporters."""

    receivers: tuple[str, ...] = Field(
        min_length=1, description="Ids of receivers; no other receiver takes this signal."
    )
    processors: tuple[str, ...] = Field(default=(), description="Ids of processors, in order.")
    exporters: tuple[str, ...] = Field(min_length=1, description="Ids of exporters.")


class Journal(Section):
    """The durable ingest journal: a request is acknowledged once it is in here."""

    directory: Path | None = Field(default=None, description="Where it is; null means `<data_dir>/journal`.")
    max_size: Size = setting(
        "4GiB",
        ge=16 << 20,
        description="At this size requests are refused (retryable) until the store has caught up.",
    )


class Ingest(Section):
    """How requests become inserts. The defaults are those that the benchmarks were made with."""

    max_in_flight: Size = setting(
        "256MiB",
        ge=1 << 20,
        description="Requests without an answer; beyond it more are refused (retryable).",
    )
    batch_rows: int = Field(
        default=98_304, ge=1, description="An insert has at most about this many rows; on PostgreSQL 65,536 at most."
    )
    batch_size: Size = setting("48MiB", ge=1 << 20, description="An insert has at most about this many bytes.")
    batch_timeout: Duration = setting(
        "1s", gt=timedelta(0), description="Under load, an insert waits at most this long."
    )
    quiet_timeout: Duration = setting(
        "100ms",
        gt=timedelta(0),
        description="When little arrives, an insert waits at most this long; soon after another insert, twice as long.",
    )


class Logs(Section):
    """Baton's own log lines."""

    level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Least severe line shown.")
    format: Literal["auto", "json", "console"] = Field(
        default="auto",
        description="`auto`: colours on a terminal, JSON lines otherwise; `json`: these and nothing else.",
    )


class Telemetry(Section):
    """What Baton tells of itself."""

    logs: Logs = Field(default=Logs(), description="Log lines.")


class Service(Section):
    """What runs."""

    data_dir: Path = Field(default=Path("data"), description="Folder for everything Baton keeps.")
    journal: Journal = Field(default=Journal(), description="The durable ingest journal.")
    ingest: Ingest = Field(default=Ingest(), description="How requests become inserts.")
    telemetry: Telemetry = Field(default=Telemetry(), description="What Baton tells of itself.")
    extensions: tuple[str, ...] = Field(
        default=("query", "jaeger_grpc", "admin"), description="Ids of extensions to run."
    )
    pipelines: dict[str, Pipeline] = Field(
        default={
            "traces": Pipeline(receivers=("otlp",), processors=("agent_transfers",), exporters=("storage",)),
            "logs": Pipeline(receivers=("otlp",), processors=("agent_transfers",), exporters=("storage",)),
        },
        description="One for each signal: `traces`, `logs`.",
    )
