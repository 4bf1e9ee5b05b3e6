"""Settings of the OTLP receivers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from collector.grpc_limits import MIN_PING_INTERVAL_SECONDS
from storage.queries import Signal

MIB = 2**20
MAX_REQUEST_BYTES = 64 * MIB  # recommended by the OTLP specification since 1.11


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """PEM files of a listening endpoint. With `client_ca_file`, clients must show a certificate from that CA.

    Changed files are looked for at most every `reload_seconds`; 0: never.
    """

    cert_file: Path
    key_file: Path
    client_ca_file: Path | None = None
    reload_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class CorsSettings:
    """Which browser pages may send. `*` in an origin stands for any text; alone it means every origin."""

    allowed_origins: tuple[str, ...]
    allowed_headers: tuple[str, ...] = ()  # beyond those every OTLP client needs
    max_age_seconds: int = 7200


@dataclass(frozen=True, slots=True)
class GrpcSettings:
    """Settings of the OTLP/gRPC receiver. `max_request_bytes` holds before and after decompression.

    `untaken` has the signals that it turns away, each with the key that would have to name it.
    """

    host: str = "localhost"
    port: int = 4317  # 0: any free port
    max_request_bytes: int = MAX_REQUEST_BYTES
    max_concurrent_requests: int = 1024
    max_concurrent_streams: int = 1024  # of one connection
    max_connection_age_seconds: float | None = None
    min_ping_interval_seconds: float = MIN_PING_INTERVAL_SECONDS
    answer_seconds: float = 4.0  # Collectors resend after 5 s
    read_seconds: float = 30.0  # from a call's beginning to the end of its message
    reflection: bool = False
    tls: TlsSettings | None = None
    untaken: Mapping[Signal, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """Settings of the OTLP/HTTP receiver. `max_request_bytes` holds before and after decompression.

    `untaken` has the signals that it turns away, each with the key that would have to name it.
    """

    host: str = "localhost"
    port: int = 4318  # 0: any free port
    max_request_bytes: int = MAX_REQUEST_BYTES
    max_concurrent_requests: int = 1024
    max_receiving_bytes: int = 256 * MIB  # bodies that arrive or wait to be converted, all together, decompressed
    answer_seconds: float = 4.0  # Collectors resend after 5 s
    header_seconds: float = 10.0  # from connecting, or from a request's first byte, to the end of its headers
    body_seconds: float = 30.0
    keep_alive_seconds: int = 75
    traces_path: str = "/v1/traces"
    logs_path: str = "/v1/logs"
    metrics_path: str = "/v1/metrics"
    cors: CorsSettings | None = None
    tls: TlsSettings | None = None
    untaken: Mapping[Signal, str] = field(default_factory=dict)
