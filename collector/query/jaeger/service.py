"""What the routes of both generations ask of storage, in bounded memory."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from time import time_ns

from collector.query.jaeger.errors import NotFound, TooMuch
from collector.query.trace_reads import adjusted_summaries, found_ids, span_tables, spans_with_transfers
from exporters.jaeger.search import kind_name
from exporters.jaeger.transfers import FindTransfers
from exporters.jaeger.v1_json import Rendering, traces_json
from exporters.jaeger.v3_json import resource_spans_elements
from exporters.trace_summary import TraceSummary
from storage.api import Storage
from storage.queries import Operation, TraceQuery

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class JaegerLimits:
    """What one request may cost. `max_traces` caps a search silently, as Jaeger's stores do."""

    max_traces: int = 10_000
    max_trace_spans: int = 100_000
    max_answer_bytes: int = 256 * _MIB
    max_transform_bytes: int = 16 * _MIB
    max_metric_points: int = 500_000  # of all series; some 600 bytes each while an answer is made


@dataclass(frozen=True, slots=True)
class JaegerQueries:
    """Reads for Jaeger's API. `transfers` answers the agent transfers of some traces, see `exporters.jaeger.transfers`.

    `max_clock_skew_ns` as in `exporters.jaeger.adjust`.
    """

    storage: Storage
    limits: JaegerLimits = JaegerLimits()
    transfers: FindTransfers | None = None
    max_clock_skew_ns: int = 0
    clock: Callable[[], int] = field(default=time_ns)

    def operations(self, service: str, kind: str = "") -> list[Operation]:
        """Return a service's operations, of one kind by its name when given."""
        found = self.storage.operations(service)
        return [each for each in found if kind_name(each.kind) == kind] if kind else found

    def search(self, query: TraceQuery, raw: bool) -> list[bytes]:
        """Return the matching traces as v1 JSON objects, newest first."""
        return [trace for _, trace in self._rendered(self._found(query), raw)]

    def traces(self, ids: Sequence[bytes], raw: bool) -> dict[bytes, bytes]:
        """Return the stored ones of some traces as v1 JSON objects, by id."""
        return dict(self._rendered([*dict.fromkeys(ids)], raw))

    def resource_spans(self, ids: Sequence[bytes], raw: bool) -> bytes:
        """Return traces as a JSON array of OTLP's resourceSpans. Raises: NotFound when none of them is stored."""
        limits = self.limits
        parts = []
        size = 0
        for spans in span_tables(self.storage, ids):
            parts.append(resource_spans_elements(spans, raw, self.max_clock_skew_ns, limits.max_trace_spans))
            size = self._grown(size, parts[-1])
        if not parts:
            raise NotFound("No traces found")
        return b"[" + b",".join(parts) + b"]"

    def found_resource_spans(self, query: TraceQuery, raw: bool) -> bytes:
        """Return matching traces as a JSON array of OTLP's resourceSpans. Raises: NotFound when there are none."""
        return self.resource_spans(self._found(query), raw)

    def summaries(self, query: TraceQuery) -> Iterator[TraceSummary]:
        """Yield the summaries of matching traces, newest first."""
        for summaries in adjusted_summaries(self.storage, self._found(query), self.max_clock_skew_ns):
            yield from summaries

    def _found(self, query: TraceQuery) -> list[bytes]:
        return [trace_id for page in found_ids(self.storage, query) for trace_id in page]

    def _rendered(self, ids: Sequence[bytes], raw: bool) -> Iterator[tuple[bytes, bytes]]:
        rendering = Rendering(raw, self.max_clock_skew_ns, max_spans=self.limits.max_trace_spans)
        size = 0
        for spans, transfers in spans_with_transfers(self.storage, ids, self.transfers):
            for trace_id, trace in traces_json(spans, rendering, transfers):
                size = self._grown(size, trace)
                yield trace_id, trace

    def _grown(self, size: int, part: bytes) -> int:
        if size + len(part) > self.limits.max_answer_bytes:
            limit = self.limits.max_answer_bytes // _MIB
            raise TooMuch(f"the answer is over {limit} MiB; ask for fewer traces or a shorter time")
        return size + len(part)
