"""Keys that carry over what Zipkin has no place for, as OpenTelemetry's own exporters and the Collector write them.

Source: OpenTelemetry specification, "Zipkin" exporter; collector-contrib `pkg/translator/zipkin`.
"""

SERVICE_NAME = "service.name"
PEER_SERVICE = "peer.service"
LOCAL_IP, LOCAL_PORT = "net.host.ip", "net.host.port"
PEER_IP, PEER_PORT = "net.peer.ip", "net.peer.port"
STATUS_CODE, STATUS_DESCRIPTION, ERROR = "otel.status_code", "otel.status_description", "error"
SCOPE_NAME, SCOPE_VERSION = "otel.scope.name", "otel.scope.version"
OLD_SCOPE_NAME, OLD_SCOPE_VERSION = "otel.library.name", "otel.library.version"
TRACE_STATE = "w3c.tracestate"
LINK_PREFIX = "otlp.link."
# Span kind → Zipkin's kind; INTERNAL and UNSPECIFIED have none, so the former is a tag.
KINDS = {2: "SERVER", 3: "CLIENT", 4: "PRODUCER", 5: "CONSUMER"}
KIND_TAG, INTERNAL_TAG, INTERNAL = "span.kind", "internal", 1
