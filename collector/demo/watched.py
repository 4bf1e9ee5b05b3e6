"""Exporters that remember whether everything was taken: the SDK's processors do not say so when they are flushed."""

from collections.abc import Sequence

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult


class WatchedSpans(SpanExporter):
    """A span exporter, watched."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self.refused = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch."""
        result = self._exporter.export(spans)
        self.refused += 0 if result is SpanExportResult.SUCCESS else len(spans)
        return result

    def shutdown(self) -> None:
        """End the exporter."""
        self._exporter.shutdown()


class WatchedLogs(LogRecordExporter):
    """A log record exporter, watched."""

    def __init__(self, exporter: LogRecordExporter) -> None:
        self._exporter = exporter
        self.refused = 0

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Send a batch."""
        result = self._exporter.export(batch)
        self.refused += 0 if result is LogRecordExportResult.SUCCESS else len(batch)
        return result

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Wait for what is under way."""
        return self._exporter.force_flush(timeout_millis)

    def shutdown(self) -> None:
        """End the exporter."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]
