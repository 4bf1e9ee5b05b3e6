"""Answers of Jaeger's v3 HTTP API.

Source: jaeger `jaegerquery/internal/apiv3/http_gateway.go` and its snapshots; what the UI's schemas demand.
"""

from typing import Any

import orjson
import pyarrow as pa

from exporters.jaeger.adjust import adjusted
from exporters.jaeger.reading import read_traces
from exporters.otlp.json import resource_spans
from exporters.trace_summary import ServiceCount, TraceSummary


def resource_spans_elements(
    spans: pa.Table, raw: bool = False, max_clock_skew_ns: int = 0, max_spans: int = 0
) -> bytes:
    """Return the traces of a spans table as the inside of a JSON array of `resourceSpans`, adjusted unless `raw`.

    Traces follow one another; none shares a `resourceSpans` with another.
    """
    groups = []
    for rows in read_traces(spans, max_spans):
        shown = rows if raw else adjusted(rows, max_clock_skew_ns)
        groups.append(orjson.dumps(resource_spans(shown))[1:-1])
    return b",".join(groups)


def summary_json(summary: TraceSummary) -> dict[str, Any]:
    """Return one trace summary. Zero counts and a missing root are left out; times are decimal strings."""
    fields = {
        "rootServiceName": summary.root_service,
        "rootOperationName": summary.root_name,
        "errorSpanCount": summary.error_count,
        "orphanSpanCount": summary.orphan_count,
        "spanCount": summary.span_count,
    }
    return {
        "traceId": summary.trace_id.hex(),
        "minStartTimeUnixNano": str(summary.start_unix_nano),
        "maxEndTimeUnixNano": str(summary.end_unix_nano),
        "services": [_service_json(service) for service in summary.services],
    } | {name: value for name, value in fields.items() if value}


def _service_json(service: ServiceCount) -> dict[str, Any]:
    # The UI refuses the whole answer when a name is missing, even an empty one.
    counts = {"spanCount": service.span_count, "errorSpanCount": service.error_count}
    return {"name": service.name} | {name: count for name, count in counts.items() if count}
