"""Settings of the receivers, with the Collector's names."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from collector.config.access import Auth
from collector.config.values import Duration, Endpoint, PositiveDuration, Section, Size, setting

UrlPath = Annotated[str, Field(pattern=r"^/[^\s?#]*$")]


class Tls(Section):
    """TLS of a listening endpoint; without this section the endpoint speaks plain text."""

    cert_file: Path = Field(description="Certificate chain, PEM.")
    key_file: Path = Field(description="Private key, PEM.")
    client_ca_file: Path | None = Field(
        default=None, description="CA that client certificates must come from; set it to require them (mTLS)."
    )
    reload_interval: Duration = setting(
        "1m", ge=timedelta(0), description="How often renewed files are looked for, at most; 0s: never."
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
        default=(),
        description="Request headers allowed beyond content-type, content-encoding, authorization and x-api-key.",
    )
    max_age: Duration = setting("2h", description="How long a browser keeps the answer.")


class OtlpTransport(Section):
    """What both transports have."""

    max_concurrent_requests: int = Field(
        default=1024, ge=1, description="Requests worked on at once; beyond it they are refused (retryable)."
    )
    response_timeout: Duration = setting(
        "4s", gt=timedelta(0), description="A request not durable by then is refused; a Collector resends after 5s."
    )
    auth: Auth | None = Field(default=None, description="API keys; none are asked for without it.")
    tls: Tls | None = Field(default=None, description="TLS; plain text without it.")


class OtlpGrpc(OtlpTransport):
    """OTLP/gRPC."""

    endpoint: Endpoint = setting("localhost:4317", description="Where it listens, `host:port`.")
    max_recv_msg_size_mib: int = Field(
        default=64, ge=1, le=1024, description="Largest request in MiB, before and after decompression."
    )
    read_timeout: Duration = setting("30s", gt=timedelta(0), description="Time to send a request.")
    max_concurrent_streams: int = Field(default=1024, ge=1, description="Requests at once on one connection.")
    max_connection_age: PositiveDuration | None = Field(
        default=None, description="Connections older than this are closed, for load balancers. Null: never."
    )
    reflection: bool = Field(default=False, description="Tell gRPC tools which services there are.")


class OtlpHttp(OtlpTransport):
    """OTLP/HTTP, protobuf and JSON."""

    endpoint: Endpoint = setting("localhost:4318", description="Where it listens, `host:port`.")
    max_request_body_size: Size = setting(
        "64MiB", ge=1024, description="Largest request, before and after decompression."
    )
    max_receiving_size: Size = setting(
        "256MiB",
        ge=1024,
        description="Bodies that arrive or wait to be converted, together; beyond it requests are refused (retryable).",
    )
    read_header_timeout: Duration = setting("10s", gt=timedelta(0), description="Time to send a request's headers.")
    read_timeout: Duration = setting("30s", gt=timedelta(0), description="Time to send a request's body.")
    idle_timeout: Duration = setting(
        "75s", ge=timedelta(seconds=1), description="How long an idle connection is kept, in whole seconds."
    )
    traces_url_path: UrlPath = Field(default="/v1/traces", description="Where traces are posted.")
    logs_url_path: UrlPath = Field(default="/v1/logs", description="Where logs are posted.")
    metrics_url_path: UrlPath = Field(
        default="/v1/metrics", description="Where metrics are posted: accepted, not stored, and the sender is told so."
    )
    cors: Cors | None = Field(default=None, description="Browser pages that may send; none without it.")

    @model_validator(mode="after")
    def _each_signal_has_a_path(self) -> Self:
        if len({self.traces_url_path, self.logs_url_path, self.metrics_url_path}) < 3:
            msg = "traces_url_path, logs_url_path and metrics_url_path must differ: the path says which signal it is"
            raise ValueError(msg)
        return self


class Protocols(Section):
    """The transports of an OTLP receiver: a key that is present (even empty) switches its transport on."""

    grpc: OtlpGrpc | None = Field(default=None, description="OTLP/gRPC; off without this key.")
    http: OtlpHttp | None = Field(default=None, description="OTLP/HTTP; off without this key.")

    @model_serializer(mode="wrap")
    def _without_what_is_off(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in serialise(self).items() if value is not None}

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

    @classmethod
    def as_meant(cls, written: Any) -> Any:
        """Return the settings with `grpc:` and `http:` without a value read as "on, with the defaults"."""
        if not isinstance(written, dict) or not isinstance(written.get("protocols"), dict):
            return written
        protocols = {key: {} if value is None else value for key, value in written["protocols"].items()}
        return {**written, "protocols": protocols}


class ZipkinReceiver(OtlpTransport):
    """Receives Zipkin v2 JSON spans at `/api/v2/spans`; in traces pipelines only."""

    endpoint: Endpoint = setting("localhost:9411", description="Where it listens, `host:port`.")
    max_request_body_size: Size = setting(
        "64MiB", ge=1024, description="Largest request, before and after decompression."
    )


RECEIVERS: dict[str, type[OtlpReceiver | ZipkinReceiver]] = {"otlp": OtlpReceiver, "zipkin": ZipkinReceiver}
