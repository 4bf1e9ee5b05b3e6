"""From the configuration to the settings of each part. Pure."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from collector.config.access import Auth
from collector.config.exporters import Storage
from collector.config.extensions import JaegerGrpc
from collector.config.model import Config, component_type
from collector.config.receivers import Cors, OtlpGrpc, OtlpHttp, OtlpReceiver, Tls, ZipkinReceiver
from collector.config.values import Section
from collector.pipeline.batching import BatchLimits
from collector.pipeline.ingest import IngestSettings
from collector.query.jaeger_grpc.server import JaegerGrpcSettings
from collector.receivers.auth import ApiKeys, Authenticator
from collector.receivers.errors import Unauthenticated
from collector.receivers.settings import CorsSettings, GrpcSettings, HttpSettings, TlsSettings
from storage.api import RetentionPolicy
from storage.clickhouse.settings import EmbeddedSettings, ServerSettings
from storage.postgres.settings import PostgresSettings
from storage.queries import Signal

# Larger inserts gain a row store nothing, and what waits for one waits longer: measured with 32,768 to 131,072.
_POSTGRES_ROWS = 65_536


def store(config: Config) -> Storage:
    """Return the one store that every pipeline ends in."""
    exporters = {name for pipeline in config.service.pipelines.values() for name in pipeline.exporters}
    found = (config.exporters[name] for name in sorted(exporters))
    return next(exporter for exporter in found if isinstance(exporter, Storage))


def store_directory(config: Config) -> Path:
    """Return where the store's files are, when they are this process's or its own server's."""
    written = store(config)
    return written.directory or config.service.data_dir / ("pg" if written.engine == "postgres" else "clickhouse")


def store_place(config: Config) -> str:
    """Return where the store is, for people; a connection string may hold a password and is not shown."""
    if store(config).engine == "postgres" and store(config).dsn is not None:
        return "PostgreSQL"
    if store(config).engine == "clickhouse":
        return ", ".join(store(config).clickhouse.endpoints)
    return str(store_directory(config).resolve())


def journal_directory(config: Config) -> Path:
    """Return where the journal is."""
    return config.service.journal.directory or config.service.data_dir / "journal"


def receivers(config: Config) -> dict[str, OtlpReceiver | ZipkinReceiver]:
    """Return the receivers that a pipeline names, by id."""
    used = {name for pipeline in config.service.pipelines.values() for name in pipeline.receivers}
    return {name: receiver for name, receiver in config.receivers.items() if name in used}


def untaken(config: Config, receiver: str) -> dict[Signal, str]:
    """Return the signals whose pipeline does not name a receiver, each with the key where it would."""
    return {
        Signal(component_type(name)): f"service.pipelines.{name}.receivers"
        for name, pipeline in config.service.pipelines.items()
        if receiver not in pipeline.receivers
    }


def extension(config: Config, kind: str) -> Section | None:
    """Return the extension of a type that runs, if one does."""
    names = (name for name in config.service.extensions if component_type(name) == kind)
    return next((config.extensions[name] for name in names), None)


def processor(config: Config, kind: str) -> Section | None:
    """Return the processor of a type that a pipeline names, if one does."""
    names = {name for pipeline in config.service.pipelines.values() for name in pipeline.processors}
    return next((config.processors[name] for name in sorted(names) if component_type(name) == kind), None)


def embedded(storage: Storage) -> EmbeddedSettings:
    """Return the settings of the embedded engine."""
    return EmbeddedSettings(
        memory_bytes=storage.memory_limit,
        query_memory_bytes=storage.query_memory_limit,
        query_seconds=storage.query_timeout.total_seconds(),
        query_threads=storage.query_threads,
        connections=storage.max_queries,
    )


def clickhouse(storage: Storage) -> ServerSettings:
    """Return the settings of ClickHouse servers."""
    given = storage.clickhouse
    return ServerSettings(
        endpoints=given.endpoints,
        database=given.database,
        username=given.username,
        password=given.password,
        cluster=given.cluster,
        insert_quorum=given.insert_quorum,
        ca_file=given.tls.ca_file,
        cert_file=given.tls.cert_file,
        key_file=given.tls.key_file,
        verify=not given.tls.insecure_skip_verify,
        compression=given.compression,
        query_memory_bytes=storage.query_memory_limit,
        query_seconds=storage.query_timeout.total_seconds(),
        query_threads=storage.query_threads,
        write_seconds=given.write_timeout.total_seconds(),
        connections=storage.max_queries,
        connect_seconds=given.connect_timeout.total_seconds(),
    )


def postgres(storage: Storage, dsn: SecretStr) -> PostgresSettings:
    """Return the settings of the PostgreSQL engine."""
    return PostgresSettings(
        dsn=dsn,
        db_schema=storage.database_schema,
        timescaledb=storage.timescaledb,
        query_seconds=storage.query_timeout.total_seconds(),
        connections=storage.max_queries,
    )


def retention(storage: Storage) -> RetentionPolicy:
    """Return what is dropped when."""
    kept = storage.retention
    return RetentionPolicy(
        spans_days=kept.traces.days if kept.traces else None,
        logs_days=kept.logs.days if kept.logs else None,
        max_bytes=kept.max_disk,
    )


def ingest(config: Config) -> IngestSettings:
    """Return the limits of the pipeline."""
    written = config.service.ingest
    most = _POSTGRES_ROWS if store(config).engine == "postgres" else written.batch_rows
    return IngestSettings(
        max_bytes_in_flight=written.max_in_flight,
        batch=BatchLimits(
            max_rows=min(written.batch_rows, most),
            max_bytes=written.batch_size,
            max_age_seconds=written.batch_timeout.total_seconds(),
            quiet_seconds=written.quiet_timeout.total_seconds(),
        ),
    )


def grpc(written: OtlpGrpc, untaken: Mapping[Signal, str]) -> GrpcSettings:
    """Return the settings of an OTLP/gRPC receiver."""
    age = written.max_connection_age
    return GrpcSettings(
        host=written.endpoint.host,
        port=written.endpoint.port,
        max_request_bytes=written.max_recv_msg_size_mib << 20,
        max_concurrent_requests=written.max_concurrent_requests,
        max_concurrent_streams=written.max_concurrent_streams,
        max_connection_age_seconds=age.total_seconds() if age else None,
        answer_seconds=written.response_timeout.total_seconds(),
        read_seconds=written.read_timeout.total_seconds(),
        reflection=written.reflection,
        tls=tls(written.tls),
        untaken=untaken,
    )


def http(written: OtlpHttp, untaken: Mapping[Signal, str]) -> HttpSettings:
    """Return the settings of an OTLP/HTTP receiver."""
    return HttpSettings(
        host=written.endpoint.host,
        port=written.endpoint.port,
        max_request_bytes=written.max_request_body_size,
        max_concurrent_requests=written.max_concurrent_requests,
        max_receiving_bytes=written.max_receiving_size,
        answer_seconds=written.response_timeout.total_seconds(),
        header_seconds=written.read_header_timeout.total_seconds(),
        body_seconds=written.read_timeout.total_seconds(),
        keep_alive_seconds=int(written.idle_timeout.total_seconds()),
        traces_path=written.traces_url_path,
        logs_path=written.logs_url_path,
        metrics_path=written.metrics_url_path,
        cors=cors(written.cors),
        tls=tls(written.tls),
        untaken=untaken,
    )


def zipkin(written: ZipkinReceiver) -> HttpSettings:
    """Return the settings of a Zipkin receiver."""
    return HttpSettings(
        host=written.endpoint.host,
        port=written.endpoint.port,
        max_request_bytes=written.max_request_body_size,
        max_concurrent_requests=written.max_concurrent_requests,
        answer_seconds=written.response_timeout.total_seconds(),
        tls=tls(written.tls),
    )


def jaeger_grpc(written: JaegerGrpc) -> JaegerGrpcSettings:
    """Return the settings of the Jaeger gRPC server."""
    return JaegerGrpcSettings(
        host=written.endpoint.host,
        port=written.endpoint.port,
        max_request_bytes=written.max_recv_msg_size_mib << 20,
        max_clock_skew_ns=int(written.max_clock_skew_adjust.total_seconds() * 1e9),
    )


def tls(written: Tls | None) -> TlsSettings | None:
    """Return the files of a TLS endpoint."""
    if written is None:
        return None
    interval = written.reload_interval.total_seconds()
    return TlsSettings(written.cert_file, written.key_file, written.client_ca_file, interval)


def cors(written: Cors | None) -> CorsSettings | None:
    """Return which browser pages may send."""
    if written is None:
        return None
    return CorsSettings(written.allowed_origins, written.allowed_headers, int(written.max_age.total_seconds()))


def authenticator(written: Auth | None) -> Authenticator | None:
    """Return who may send, or None for everybody."""
    return ApiKeys(_revealed(written.api_keys)) if written else None


class QueryAuthorizer:
    """Tells whether a request to the query side carries one of the keys."""

    def __init__(self, keys: ApiKeys) -> None:
        self._keys = keys

    def __call__(self, authorization: str | None, api_key: str | None) -> bool:
        """See `collector.query.dependencies.Authorizer`."""
        try:
            self._keys.check(authorization, api_key)
        except Unauthenticated:
            return False
        return True


def authorizer(written: Auth | None) -> QueryAuthorizer | None:
    """Return who may ask, or None for everybody."""
    return QueryAuthorizer(ApiKeys(_revealed(written.api_keys))) if written else None


def _revealed(keys: tuple[SecretStr, ...]) -> list[str]:
    return [key.get_secret_value() for key in keys]
