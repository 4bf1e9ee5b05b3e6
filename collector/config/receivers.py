"""Settings of the receivers, with the Collector's names."""

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from collector.config.values import Duration, Endpoint, Section, Size, setting

UrlPath = Annotated[str, Field(pattern=r"^/[^\s?#]*$")]


class Tls(Section):
    """TLS of a listening endpoint; without this section the endpoint speaks plain text."""

    cert_file: Path = Field(description="Certificate chain, PEM.")
    key_file: Path = Field(description="Private key, PEM.")
    client_ca_file: Path | None = Field(
        default=None, description="CA that client certificates must come from; set it to require them (mTLS)."
    )

    @field_validator("cert_file", "key_file", "client_ca_file")
    @classmethod
    def _is_readable(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_file():
            msg = f"there is no file {path}"
            raise ValueError(msg)
        return path


class Cors(Section):
    """Which browser pages may post telemetry; without this section none may."""

    allowed_origins: tuple[str, ...] = Field(
        description='Origins, such as "https://app.example.com"; `*` stands for any text within one.'
    )
    allowed_headers: tuple[str, ...] = Field(
        default=(), description="Request headers allowed beyond content-type, content-encoding and authorization."
    )
    max_age: Duration = setting("2h", description="How long a browser keeps the answer.")


class OtlpGrpc(Section):
    """OTLP/gRPC."""

    endpoint: Endpoint = setting("localhost:4317", description="Where it listens, `host:port`.")
    max_recv_msg_size_mib: int = Field(
        default=64, ge=1, le=1024, description="Largest request in MiB, before and after decompression."
    )
    tls: Tls | None = Field(default=None, description="TLS; plain text without it.")


class OtlpHttp(Section):
    """OTLP/HTTP, protobuf and JSON."""

    endpoint: Endpoint = setting("localhost:4318", description="Where it listens, `host:port`.")
    max_request_body_size: Size = setting(
        "64MiB", ge=1024, description="Largest request, before and after decompression."
    )
    cors: Cors | None = Field(default=None, description="Browser pages that may send; none without it.")
    tls: Tls | None = Field(default=None, description="TLS; plain text without it.")


class Protocols(Section):
    """The transports of an OTLP receiver: a key that is present (even empty) switches its transport on."""

    grpc: OtlpGrpc | None = Field(default=None, description="OTLP/gRPC; off without this key.")
    http: OtlpHttp | None = Field(default=None, description="OTLP/HTTP; off without this key.")

    @model_validator(mode="before")
    @classmethod
    def _an_empty_key_means_on(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {key: {} if item is None else item for key, item in value.items()}

    @model_validator(mode="after")
    def _has_a_transport(self) -> Self:
        if self.grpc is None and self.http is None:
            msg = "switch on grpc or http"
            raise ValueError(msg)
        return self


class OtlpReceiver(Section):
    """Receives OTLP traces and logs."""

    protocols: Protocols = Field(
        default=Protocols(grpc=OtlpGrpc(), http=OtlpHttp()), description="The transports to listen on."
    )


RECEIVERS: dict[str, type[OtlpReceiver]] = {"otlp": OtlpReceiver}
