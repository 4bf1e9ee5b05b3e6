"""Components that configurations of the OpenTelemetry Collector have and Baton does without: what to write instead."""

from collections.abc import Mapping

_OMIT = "leave it out"
_ALWAYS_ON = f"health is always answered, at /health/live and /health/ready of the query endpoint; {_OMIT}"
_INSTEAD: Mapping[str, Mapping[str, str]] = {
    "receivers": {
        "jaeger": "Baton takes OTLP and Zipkin; let the sender export OTLP",
        "opencensus": "Baton takes OTLP and Zipkin; let the sender export OTLP",
        "prometheus": f"Baton stores no metrics; {_OMIT}",
        "hostmetrics": f"Baton stores no metrics; {_OMIT}",
    },
    "processors": {
        "batch": f"Baton batches by itself, as service.ingest says; {_OMIT}",
        "memory_limiter": f"memory is always bounded, by service.ingest.max_in_flight and the store's limits; {_OMIT}",
    },
    "exporters": {
        "debug": f"GET /api/v1/traces and /api/v1/logs show what arrived; {_OMIT}",
        "logging": f"GET /api/v1/traces and /api/v1/logs show what arrived; {_OMIT}",
        "jaeger": "Jaeger takes OTLP; use an exporter of type otlp",
        "clickhouse": "use storage, with engine: clickhouse",
        "file": f"everything is kept by storage; {_OMIT}",
    },
    "extensions": {
        "health_check": _ALWAYS_ON,
        "healthcheckv2": _ALWAYS_ON,
        "zpages": f"/metrics and /api/v1/ledger of the query endpoint tell how Baton does; {_OMIT}",
        "pprof": _OMIT,
        "file_storage": f"what waits to be sent on is always on disk; {_OMIT}",
    },
}


def instead(section: str, component_type: str) -> str:
    """Return what to do about a Collector's component, empty for what is none that Baton has an answer to."""
    return _INSTEAD[section].get(component_type, "")
