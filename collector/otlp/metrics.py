"""Counts the data points of metrics requests. Metrics are not stored: clients are told how many were turned away."""

from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from collector.errors import Rejected
from collector.otlp.json import parse

_DATA = ("gauge", "sum", "histogram", "exponential_histogram", "summary")
_JSON_DATA = ("gauge", "sum", "histogram", "exponentialHistogram", "summary")


def count_protobuf(body: bytes) -> int:
    """Return the data points of a serialised ExportMetricsServiceRequest. Raises: Rejected "malformed"."""
    try:
        request = ExportMetricsServiceRequest.FromString(body)
    except DecodeError:
        raise Rejected("malformed", "the body is not an ExportMetricsServiceRequest") from None
    count = 0
    for resource_metrics in request.resource_metrics:
        for scope_metrics in resource_metrics.scope_metrics:
            for metric in scope_metrics.metrics:
                kind = metric.WhichOneof("data")
                count += len(getattr(metric, kind).data_points) if kind in _DATA else 0
    return count


def count_json(body: bytes) -> int:
    """Return the data points of an OTLP/JSON metrics request; what has another shape counts nothing.

    Raises: Rejected "malformed" when the body is not a JSON object.
    """
    count = 0
    for resource_metrics in _list(parse(body), "resourceMetrics"):
        for scope_metrics in _list(resource_metrics, "scopeMetrics"):
            for metric in _list(scope_metrics, "metrics"):
                if isinstance(metric, Mapping):
                    count += sum(len(_list(metric.get(kind), "dataPoints")) for kind in _JSON_DATA)
    return count


def _list(parent: object, key: str) -> Sequence[Any]:
    found = parent.get(key) if isinstance(parent, Mapping) else None
    return found if isinstance(found, list) else ()
