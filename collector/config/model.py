"""A whole configuration, valid in itself."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, SerializeAsAny

from collector.config.exporters import EXPORTERS, Storage
from collector.config.extensions import EXTENSIONS, Admin, JaegerGrpc, Query
from collector.config.forwarding import OtlpExporter, OtlpHttpExporter, ZipkinExporter
from collector.config.processors import PROCESSORS, AgentTransfers
from collector.config.receivers import RECEIVERS, OtlpReceiver, ZipkinReceiver
from collector.config.service import Service
from collector.config.values import Section

# Which component types each section knows; an id is `type` or `type/name`.
COMPONENT_TYPES: Mapping[str, Mapping[str, type[Section]]] = {
    "receivers": RECEIVERS,
    "processors": PROCESSORS,
    "exporters": EXPORTERS,
    "extensions": EXTENSIONS,
}
SIGNALS = ("traces", "logs")


def component_type(component_id: str) -> str:
    """Return the type part of `type` or `type/name`."""
    return component_id.partition("/")[0]


class Config(Section):
    """Everything Baton reads from `otel-config.yaml`. The defaults are a complete, working configuration."""

    receivers: Mapping[str, SerializeAsAny[OtlpReceiver | ZipkinReceiver]] = Field(default={"otlp": OtlpReceiver()})
    processors: Mapping[str, SerializeAsAny[AgentTransfers]] = Field(default={"agent_transfers": AgentTransfers()})
    exporters: Mapping[str, SerializeAsAny[Storage | OtlpExporter | OtlpHttpExporter | ZipkinExporter]] = Field(
        default={"storage": Storage()}
    )
    extensions: Mapping[str, SerializeAsAny[Query | JaegerGrpc | Admin]] = Field(
        default={"query": Query(), "jaeger_grpc": JaegerGrpc(), "admin": Admin()}
    )
    service: Service = Field(default=Service())

    def as_written(self) -> dict[str, Any]:
        """Return the configuration as plain values a user could have written; secrets are shown as asterisks."""
        return self.model_dump(mode="json")
