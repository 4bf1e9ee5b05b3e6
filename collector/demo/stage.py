"""The stage: services with an OpenTelemetry SDK each, and a clock that the story moves by hand."""

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import context, trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from collector.demo.cast import VERSIONS
from collector.demo.watched import WatchedLogs, WatchedSpans

Attributes = Mapping[str, str | int | float | bool | list[str]]
Exporters = Callable[[], tuple[SpanExporter, LogRecordExporter]]

MILLISECOND = 1_000_000
_PROPAGATOR = TraceContextTextMapPropagator()
_FLUSH_MS = 20_000
_QUEUE = 65_536  # the story is told faster than any real system would tell it


class SeededIds(IdGenerator):
    """Ids from a random number generator of one's own."""

    def __init__(self, source: random.Random) -> None:
        self._source = source

    def generate_trace_id(self) -> int:
        """Return 128 random bits, not all zero."""
        return self._source.getrandbits(128) or 1

    def generate_span_id(self) -> int:
        """Return 64 random bits, not all zero."""
        return self._source.getrandbits(64) or 1


class Stage:
    """Every service of the demo. `now` is the story's time, nanoseconds since the epoch."""

    def __init__(self, exporters: Exporters, rng: random.Random, now: int) -> None:
        self.now = now
        self.rng = rng
        self.spans = 0
        self.logs = 0
        self._traces: dict[str, TracerProvider] = {}
        self._loggers: dict[str, LoggerProvider] = {}
        self._exporters: list[WatchedSpans | WatchedLogs] = []
        ids = SeededIds(random.Random(f"{rng.random()}/{now}"))  # noqa: S311 - a story
        for service, version in VERSIONS.items():
            to_spans, to_logs = exporters()
            span_exporter, log_exporter = WatchedSpans(to_spans), WatchedLogs(to_logs)
            self._exporters += (span_exporter, log_exporter)
            resource = _resource(service, version)
            tracing = TracerProvider(resource=resource, id_generator=ids, shutdown_on_exit=False)
            tracing.add_span_processor(BatchSpanProcessor(span_exporter, max_queue_size=_QUEUE))
            logging = LoggerProvider(resource=resource, shutdown_on_exit=False)
            logging.add_log_record_processor(BatchLogRecordProcessor(log_exporter, max_queue_size=_QUEUE))
            self._traces[service], self._loggers[service] = tracing, logging

    def wait(self, low_ms: float, high_ms: float | None = None) -> None:
        """Let some time of the story pass, somewhere between two bounds."""
        self.now += int(self.rng.uniform(low_ms, low_ms if high_ms is None else high_ms) * MILLISECOND)

    @contextmanager
    def span(
        self, service: str, name: str, attributes: Attributes, kind: SpanKind = SpanKind.INTERNAL
    ) -> Iterator[Span]:
        """Run a span of a service below the current one; it takes as long as the story takes within."""
        span = (
            self._traces[service]
            .get_tracer("shop", VERSIONS[service])
            .start_span(name, kind=kind, attributes=attributes, start_time=self.now)
        )
        self.spans += 1
        with trace.use_span(span, end_on_exit=False):
            yield span
        span.end(self.now)

    @contextmanager
    def call(self, caller: str, callee: str, route: str, status: int = 200) -> Iterator[Span]:
        """Make an HTTP call to another service, trace context in the headers; yields the server's span."""
        path, port = route.partition(" ")[2], 8080
        url: dict[str, str | int] = {
            "server.address": callee,
            "server.port": port,
            "url.full": f"http://{callee}:{port}{path}",
        }
        method: dict[str, str | int] = {"http.request.method": route.partition(" ")[0]}
        with self.span(caller, route.partition(" ")[0], {**method, **url}, SpanKind.CLIENT) as client:
            headers: dict[str, str] = {}
            _PROPAGATOR.inject(headers)
            self.wait(0.4, 2.0)
            token = context.attach(_PROPAGATOR.extract(headers, context.Context()))
            try:
                request = {**method, "http.route": path, "url.path": path, "url.scheme": "http"}
                with self.span(callee, route, request, SpanKind.SERVER) as server:
                    self.wait(0.5, 3.0)
                    yield server
                    self._answer(server, status, status >= 500)
            finally:
                context.detach(token)
            self.wait(0.3, 1.5)
            self._answer(client, status, status >= 400)

    def log(self, service: str, level: str, text: str, **attributes: str | int | float) -> None:
        """Write a log line of a service, in the current trace."""
        self.logs += 1
        self._loggers[service].get_logger("shop").emit(
            LogRecord(
                timestamp=self.now,
                observed_timestamp=self.now + MILLISECOND,
                context=context.get_current(),
                severity_number=SeverityNumber[level],
                severity_text=level,
                body=text,
                attributes=attributes,
            )
        )

    @staticmethod
    def fail(span: Span, error: str, message: str, at: int) -> None:
        """Mark a span as failed, with the exception that a real program would have recorded."""
        span.add_event("exception", {"exception.type": error, "exception.message": message}, timestamp=at)
        span.set_attribute("error.type", error)
        span.set_status(Status(StatusCode.ERROR, message))

    def flush(self) -> bool:
        """Send what is still queued and end every exporter; False when something was not sent in time, or not taken."""
        traces = [provider.force_flush(_FLUSH_MS) for provider in self._traces.values()]
        logs = [provider.force_flush(_FLUSH_MS) for provider in self._loggers.values()]
        for tracing in self._traces.values():
            tracing.shutdown()
        for logging in self._loggers.values():
            logging.shutdown()
        return all(traces + logs) and not any(exporter.refused for exporter in self._exporters)

    @staticmethod
    def _answer(span: Span, status: int, failed: bool) -> None:
        span.set_attribute("http.response.status_code", status)
        if failed:
            span.set_attribute("error.type", str(status))
            span.set_status(Status(StatusCode.ERROR))


def _resource(service: str, version: str) -> Resource:
    return Resource.create(
        {
            "service.name": service,
            "service.version": version,
            "service.namespace": "shop",
            "service.instance.id": f"{service}-0",
            "deployment.environment.name": "demo",
            "host.name": f"{service}-0",
        }
    )
