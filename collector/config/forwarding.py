"""Settings of the exporters that send telemetry on, with the Collector's names."""

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from collector.config.values import Address, Duration, Section, Size, parse_address, setting


def sending_url(value: str) -> str:
    """Return the value when it is a URL to send to."""
    try:
        url = parse_url(value)
    except LocationParseError:
        url = None
    if url is None or url.scheme not in ("http", "https") or not url.host or url.auth or url.query or url.fragment:
        msg = 'write a URL such as "https://collector.example:4318"; what the receiver asks for goes into headers'
        raise ValueError(msg)
    return value


def sending_address(value: str) -> str:
    """Return the value when it is a host and a port to send to."""
    try:
        address = parse_address(value)
    except ValueError:
        address = None
    if address is None or value.startswith(":") or not address.port:
        msg = 'write "host:port", such as "collector:4317"; for plain text add "tls: {insecure: true}"'
        raise ValueError(msg)
    return value


_HEADER_NAME = re.compile(r"[A-Za-z0-9_.-]+")  # what HTTP and gRPC both take
_HEADER_VALUE = re.compile(r"(?:[!-~](?:[ -~]*[!-~])?)?")

Url = Annotated[str, AfterValidator(sending_url)]


class ClientTls(Section):
    """TLS towards a receiver; without this section the system's certificates decide whom to trust."""

    insecure: bool = Field(default=False, description="Plain text; of gRPC endpoints only, URLs say it themselves.")
    ca_file: Path | None = Field(default=None, description="CA that the receiver's certificate must come from, PEM.")
    cert_file: Path | None = Field(default=None, description="Certificate to show the receiver (mTLS), PEM.")
    key_file: Path | None = Field(default=None, description="Its private key, PEM; null: it is in `cert_file`.")
    reload_interval: Duration = setting(
        "1m", ge=timedelta(0), description="How often renewed files are looked for, at most; 0s: never."
    )

    @field_validator("ca_file", "cert_file", "key_file")
    @classmethod
    def _is_readable(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_file():
            msg = f"there is no file {path}"
            raise ValueError(msg)
        return path

    @model_validator(mode="after")
    def _key_belongs_to_a_certificate(self) -> Self:
        if self.key_file is not None and self.cert_file is None:
            msg = "key_file without cert_file: a key shows the receiver nothing"
            raise ValueError(msg)
        return self


class SendingQueue(Section):
    """What waits on disk while the receiver is away."""

    max_size: Size = setting(
        "1GiB", ge=1 << 20, description="At this size what is newly stored is not queued any more, which is an alarm."
    )


class Forwarding(Section):
    """What all exporters that send telemetry on have."""

    headers: Mapping[str, SecretStr] = Field(default={}, description="Sent with every request, such as an API key.")
    compression: Literal["gzip", "none"] = Field(default="gzip", description="How requests are compressed.")
    timeout: Duration = setting("10s", gt=timedelta(0), description="Time for one request.")
    tls: ClientTls = Field(default=ClientTls(), description="Whom to trust, and what to show.")
    sending_queue: SendingQueue = Field(default=SendingQueue(), description="What waits on disk.")

    @field_validator("headers")
    @classmethod
    def _can_be_sent(cls, headers: Mapping[str, SecretStr]) -> Mapping[str, SecretStr]:
        for name, value in headers.items():
            if not _HEADER_NAME.fullmatch(name):
                msg = f'"{name[:100]}" is no name of a header: letters, digits, "-", "_" and "." only'
                raise ValueError(msg)
            if not _HEADER_VALUE.fullmatch(value.get_secret_value()):
                msg = f"the value of {name} cannot be sent: it has a line break, an outer space, or other than ASCII"
                raise ValueError(msg)
        return headers


def sends_to(exporter: "OtlpExporter | OtlpHttpExporter | ZipkinExporter") -> Address:
    """Return the host and port of an exporter's receiver."""
    if isinstance(exporter, OtlpExporter):
        return parse_address(exporter.endpoint)
    url = parse_url(exporter.endpoint)
    return Address((url.host or "").strip("[]"), url.port or (443 if url.scheme == "https" else 80))


class OtlpExporter(Forwarding):
    """Sends on what was stored, over OTLP/gRPC; in order, at least once, through any outage of the receiver."""

    endpoint: Annotated[str, AfterValidator(sending_address)] = Field(description="Where to send, `host:port`.")


class OtlpHttpExporter(Forwarding):
    """Sends on what was stored, over OTLP/HTTP; in order, at least once, through any outage of the receiver."""

    endpoint: Url = Field(description="Where to send; `/v1/traces` and `/v1/logs` are added.")


class ZipkinExporter(Forwarding):
    """Sends on the spans that were stored, as Zipkin v2 JSON; in order, at least once."""

    endpoint: Url = Field(description="Where to send, such as `http://localhost:9411/api/v2/spans`.")


FORWARDERS: dict[str, type[OtlpExporter | OtlpHttpExporter | ZipkinExporter]] = {
    "otlp": OtlpExporter,
    "otlphttp": OtlpHttpExporter,
    "zipkin": ZipkinExporter,
}
