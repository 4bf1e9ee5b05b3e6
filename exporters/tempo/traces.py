"""A trace as Tempo answers it by id: OTLP in which every span has a resource, a scope and a status.

Grafana's data source reads all three without asking whether they are there (a span without a status ends the whole
answer), leaves out the spans of a resource without attributes, and takes the end minus the start as unsigned. Source:
grafana-tempo-datasource 13.1.5 `pkg/tempo/trace_transform.go`.
"""

import pyarrow as pa
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from exporters.otlp.protobuf import traces_data

# As the lists of services name what has no name.
_NO_SERVICE = KeyValue(key="service.name", value=AnyValue(string_value="missing-service-name"))


def tempo_trace(spans: pa.Table) -> TracesData:
    """Return all rows of a spans table in one message with nothing left out; spans end where they start or later."""
    data = traces_data(spans)
    for resource_spans in data.resource_spans:
        resource_spans.resource.SetInParent()
        if not resource_spans.resource.attributes:
            resource_spans.resource.attributes.append(_NO_SERVICE)
        for scope_spans in resource_spans.scope_spans:
            scope_spans.scope.SetInParent()
            for span in scope_spans.spans:
                span.status.SetInParent()
                span.end_time_unix_nano = max(span.start_time_unix_nano, span.end_time_unix_nano)
    return data
